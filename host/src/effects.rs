//! Carries out what the engine asks of the outside, away from the loop that owns it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;

use p2p_core::api::{Command, Effect};
use p2p_storage::PeerRecord;

use crate::peers::PeerKeeper;

/// Carries out `effect`; where the engine waits for the outcome, `answer` is called with it, from another thread.
/// Without `peers` nothing is kept of them.
pub fn carry_out(
    effect: Effect,
    peers: Option<&PeerKeeper>,
    answer: impl FnOnce(Command) + Send + 'static,
) {
    match effect {
        Effect::Resolve { id, host, port } => {
            let look_up = move || {
                let addresses = resolve(&host, port);
                answer(Command::IntroducerResolved { id, addresses });
            };
            let thread = thread::Builder::new().name("p2p-resolve".to_owned());
            if let Err(error) = thread.spawn(look_up) {
                // The engine asks again.
                log::warn!("cannot start a thread: {error}");
            }
        }
        Effect::PersistRecord {
            id,
            record,
            name,
            address,
        } => {
            if let Some(peers) = peers {
                peers.insert(PeerRecord {
                    id,
                    record,
                    name,
                    address,
                });
            }
        }
        other => log::warn!("the engine asks for something unknown: {other:?}"),
    }
}

/// Asks the system's resolver; may block for seconds.
fn resolve(host: &str, port: u16) -> Vec<SocketAddr> {
    match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            log::warn!("cannot find the address of {host}: {error}");
            Vec::new()
        }
    }
}
