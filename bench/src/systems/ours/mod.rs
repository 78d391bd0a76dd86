//! This project through its production driver. The serving process runs an introducer and the node that is
//! measured; the client finds that node through the introducer and waits until its path is direct. Idle connections
//! are registrations at the introducer, each with a session of its own.

mod guest;
mod host;
pub(crate) mod play;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use p2p_core::api::{IntroducerAddress, NodeConfig, Roles};
use p2p_driver_smol::{Application, Clock, EngineLoop, Sockets};
use smol::LocalExecutor;

use crate::meter::Meter;
use crate::process::{self, Failure};
use crate::sample::{Figures, percentiles};
use crate::usage;
use crate::workload::{IDLE_COUNTED, IDLE_WARM, Workload};
use guest::Guest;
use host::Host;

/// Idle nodes on one address: what one source may shake hands for at once, two datagrams each.
const GUESTS_PER_ADDRESS: usize = 8;
/// Time for the last connections to settle before memory is read.
const SETTLE: Duration = Duration::from_secs(2);
/// Time for all idle nodes to register.
const REGISTERING: Duration = Duration::from_secs(60);

/// A node's configuration with fresh secrets.
pub(crate) fn configuration() -> Result<NodeConfig, Failure> {
    let mut seeds = [[0; 32]; 3];
    for seed in &mut seeds {
        aws_lc_rs::rand::fill(seed)?;
    }
    let [identity, fixed, random] = seeds;
    Ok(NodeConfig::new(identity, fixed, random))
}

fn start<A: Application>(
    config: NodeConfig,
    address: IpAddr,
    application: A,
) -> Result<(EngineLoop<A>, SocketAddr), Failure> {
    let failed = |error| Failure(format!("{error:?}"));
    let sockets = Sockets::bind(Some(SocketAddr::new(address, 0))).map_err(failed)?;
    let bound = sockets.bound();
    let bound = bound
        .first()
        .copied()
        .ok_or(Failure("no address".to_owned()))?;
    let engine = EngineLoop::new(config, Clock::start(), sockets, application).map_err(failed)?;
    Ok((engine, bound))
}

/// Serves until the process ends.
pub(crate) fn serve(
    workload: Workload,
    meter: Arc<Meter>,
    ready: &dyn Fn(String),
) -> Result<(), Failure> {
    let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
    let mut config = configuration()?;
    config.roles = Roles::ALL;
    let (introducer, bound) = start(config, localhost, Host::introducer())?;
    let address = IntroducerAddress {
        id: introducer.id(),
        host: bound.ip().to_string(),
        port: bound.port(),
    };
    let executor = LocalExecutor::new();
    let waiting = executor.spawn(introducer.run());
    if workload == Workload::Idle {
        ready(format!("{address}/-"));
        smol::block_on(executor.run(waiting));
        return Ok(());
    }
    let mut config = configuration()?;
    config.introducers = vec![address.clone()];
    let (tell, told) = smol::channel::bounded(1);
    let (host, _) = start(config, localhost, Host::receiver(meter, tell))?;
    let contact = format!("{address}/{}", host.id());
    let running = executor.spawn(host.run());
    smol::block_on(executor.run(async {
        if told.recv().await.is_ok() {
            ready(contact);
        }
        running.await;
        waiting.await;
    }));
    Ok(())
}

/// Drives the workload against the node that `contact` names.
pub(crate) fn drive(
    workload: Workload,
    contact: &str,
    duration: Duration,
) -> Result<Figures, Failure> {
    let wrong = |what: String| Failure(format!("the contact is not INTRODUCER/ID: {what}"));
    let (address, id) = contact
        .rsplit_once('/')
        .ok_or_else(|| wrong(contact.to_owned()))?;
    let address: IntroducerAddress = address.parse()?;
    if workload == Workload::Idle {
        return idle(&address);
    }
    let target = id.parse().map_err(|error| wrong(format!("{error:?}")))?;
    let mut config = configuration()?;
    config.introducers = vec![address];
    let guest = Guest::visitor(workload, target, duration);
    let (guest, _) = start(config, Ipv4Addr::LOCALHOST.into(), guest)?;
    let guest = smol::block_on(guest.run());
    let played = guest.finish()?;
    let figures = percentiles(played.nanos);
    Ok(figures
        .with("count", played.answered as f64)
        .with("failed", played.failed as f64)
        .with("seconds", played.seconds)
        .with("cpu_s", usage::cpu_seconds() - played.cpu_s_before))
}

/// Registers many nodes at the introducer and has it note its memory twice.
fn idle(introducer: &IntroducerAddress) -> Result<Figures, Failure> {
    let executor = LocalExecutor::new();
    let total = IDLE_WARM + IDLE_COUNTED;
    smol::block_on(executor.run(async {
        let (tell, told) = smol::channel::unbounded();
        let end = Instant::now() + REGISTERING;
        for number in 1..=total {
            let place = u8::try_from(1 + number / GUESTS_PER_ADDRESS)?;
            let mut config = configuration()?;
            config.introducers = vec![introducer.clone()];
            let address = Ipv4Addr::new(127, 0, place, 1);
            let (guest, _) = start(config, address.into(), Guest::idle(tell.clone()))?;
            executor.spawn(guest.run()).detach();
            let registered = async { told.recv().await.is_ok() };
            let late = async {
                smol::Timer::at(end).await;
                false
            };
            if !smol::future::or(registered, late).await {
                return Err(Failure(format!("only {number} nodes registered")));
            }
            if number == IDLE_WARM || number == total {
                smol::Timer::after(SETTLE).await;
                process::mark();
            }
        }
        Ok(Figures::default().with("connections", total as f64))
    }))
}
