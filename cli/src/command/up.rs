//! `p2p up` and `p2p introducer`: run a node in the foreground. A setting comes from the command line or the
//! environment, else from the configuration file, else it has its default.

use std::io::Read as _;
use std::net::SocketAddr;

use p2p_core::api::{IntroducerAddress, Roles};
use p2p_core::fingerprint;
use p2p_driver_smol::{NodeError, Ready, run_node, shutdown_signal};
use p2p_host::settings;
use p2p_storage::StateErrorKind;
use serde_json::{Value, json};

use super::node::introducer_lines;
use crate::arguments::{Introducer, Up};
use crate::client::{Call, Client};
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::node_arguments::NodeArguments;
use crate::output::{Output, Tone, escape};
use crate::place;

/// Port of the introducer or peer unless told otherwise, for the help on how to reach it.
const INTRODUCER_HINT: &str =
    "Hand one of these lines out; others join with: p2p up --introducer LINE";

/// Runs `p2p up`.
pub(super) async fn up(context: &Context, up: Up) -> Result<(), Failure> {
    run(context, up.node, false).await
}

/// Runs `p2p introducer`.
pub(super) async fn introducer(context: &Context, introducer: Introducer) -> Result<(), Failure> {
    run(context, introducer.node, true).await
}

async fn run(context: &Context, node: NodeArguments, introducer: bool) -> Result<(), Failure> {
    let until_stdin_ends = node.until_stdin_ends;
    let mut options = settings::read_options(&node.given).map_err(|e| {
        Failure::new(exit::USAGE, "setting", e.what)
            .because(e.why)
            .fix(e.fix)
    })?;
    options.state_dir = Some(context.state_directory()?);
    if introducer {
        options.roles = introducer_roles(options.roles)?;
    }
    let (roles, name) = (options.roles, options.name.clone());
    let (is_ready, ready) = async_channel::bounded(1);
    let node = run_node(options, ended(until_stdin_ends), move |facts| {
        let _ = is_ready.try_send(facts.clone());
    });
    let attend = async {
        if let Ok(facts) = ready.recv().await {
            announce(&context.output, &facts, roles, name.as_deref());
            if let Err(failure) = follow(context, &facts).await {
                log::debug!("the node's own state cannot be followed: {failure}");
            }
        }
        futures_lite::future::pending().await
    };
    let result = futures_lite::future::or(node, attend).await;
    result.map_err(|e| failed(&e))
}

/// The roles of an introducer: all of them, or those that were set, which must fit.
fn introducer_roles(set: Roles) -> Result<Roles, Failure> {
    if set == Roles::default() {
        return Ok(Roles::ALL);
    }
    if set.introducer {
        return Ok(set);
    }
    let what = "An introducer without the role introducer makes no sense";
    Err(Failure::new(exit::USAGE, "setting", what)
        .because("The roles that are set (--role, P2P_ROLE or the file) leave it out")
        .fix("Leave the roles away to have all of them, or add --role introducer; other roles: p2p up --role"))
}

/// Ends with Ctrl-C, SIGTERM, or standard input where it is bound to that.
async fn ended(until_stdin_ends: bool) {
    let signal = async {
        if let Err(e) = shutdown_signal().await {
            log::warn!("signals cannot be watched: {e}");
            futures_lite::future::pending::<()>().await;
        }
    };
    let stdin = async {
        if !until_stdin_ends {
            futures_lite::future::pending::<()>().await;
        }
        let read = smol::unblock(|| {
            std::io::copy(&mut std::io::stdin().lock().by_ref(), &mut std::io::sink())
        });
        let _ = read.await;
    };
    futures_lite::future::or(signal, stdin).await;
}

/// Tells who the node is and how it is reached.
fn announce(output: &Output, facts: &Ready, roles: Roles, name: Option<&str>) {
    let hand_out = introducer_addresses(facts);
    if output.json {
        let texts = |list: &[SocketAddr]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        output.value(&json!({
            "id": facts.id.to_string(),
            "name": name,
            "fingerprint": fingerprint::words(&facts.id),
            "udp": texts(&facts.udp),
            "local_addresses": texts(&facts.local_addresses),
            "http": facts.http.first().map(ToString::to_string),
            "token_path": facts.token_path.display().to_string(),
            "url": facts.page_url,
            "introducer_address": roles.introducer.then(|| hand_out.first()),
            "introducer_addresses": if roles.introducer { hand_out.clone() } else { Vec::new() },
        }));
        return;
    }
    output.line(format!("id           {}", facts.id));
    output.line(format!(
        "fingerprint  {}",
        fingerprint::words(&facts.id).join("-")
    ));
    if let Some(name) = name {
        output.line(format!("name         {}", escape(name)));
    }
    for address in &facts.udp {
        output.line(format!("listening    udp {address}"));
    }
    for address in &facts.http {
        output.line(format!("http         http://{address}"));
    }
    output.line(format!("token        {}", facts.token_path.display()));
    let page = output.paint(Tone::Strong, &facts.page_url);
    output.line(format!(
        "page         {page} (once, within 60 s; then: p2p ui)"
    ));
    if !roles.introducer {
        let meet = "p2p invite makes a link for somebody, p2p join LINK follows theirs";
        output.line(format!("meet         {meet}"));
    }
    if roles.introducer {
        output.line("");
        output.remark(INTRODUCER_HINT);
        for address in hand_out {
            output.line(format!("  {address}"));
        }
        output.line("");
    }
}

/// The lines to hand out: one for each address that others can reach, loopback only where there is nothing else.
fn introducer_addresses(facts: &Ready) -> Vec<String> {
    let text = |address: &SocketAddr| {
        let (id, host, port) = (facts.id, address.ip().to_string(), address.port());
        IntroducerAddress { id, host, port }.to_string()
    };
    let own = facts.local_addresses.iter().chain(&facts.udp);
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in own.filter(|a| !a.ip().is_unspecified()) {
        if !found.contains(address) {
            found.push(*address);
        }
    }
    let outward: Vec<String> = found
        .iter()
        .filter(|a| !a.ip().is_loopback())
        .map(text)
        .collect();
    if outward.is_empty() {
        return found.iter().map(text).collect();
    }
    outward
}

/// Tells on standard error how the links to the introducers do.
async fn follow(context: &Context, facts: &Ready) -> Result<(), Failure> {
    let Some(http) = facts.http.first() else {
        return Ok(());
    };
    let state = context.state_directory()?;
    let client = Client::new(*http, place::token(&state)?);
    let mut events = client
        .events(Call::get("/v1/events?types=introducer"))
        .await?;
    let mut shown: Vec<String> = Vec::new();
    loop {
        let node: Value = client.json(Call::get("/v1/node")).await?;
        let now = introducer_lines(&context.output, &node);
        for line in now.iter().filter(|line| !shown.contains(line)) {
            context.output.remark(line);
        }
        shown = now;
        if events.next().await?.is_none() {
            return Ok(());
        }
    }
}

/// Why the node did not start, or ended.
fn failed(error: &NodeError) -> Failure {
    let (exit_code, code) = match error {
        NodeError::State(e) => {
            let code = match e.kind {
                StateErrorKind::InUse => exit::CONFLICT,
                StateErrorKind::Broken => exit::INTEGRITY,
                StateErrorKind::Permissions => exit::AUTH,
                _ => exit::GENERIC,
            };
            return Failure::from_state(code, e);
        }
        NodeError::Bind { .. } => (exit::CONFLICT, "address_not_free"),
        NodeError::NotLoopback(_) => (exit::USAGE, "not_loopback"),
        NodeError::Configuration(_) => (exit::USAGE, "setting"),
        _ => (exit::GENERIC, "system"),
    };
    Failure::new(exit_code, code, error.what())
        .because(error.why())
        .fix(error.fix())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_introducer_has_the_roles_that_were_set_and_that_one_always() {
        let one = |introducer, relay| Roles {
            introducer,
            relay,
            stun: false,
        };
        assert_eq!(introducer_roles(Roles::default()).ok(), Some(Roles::ALL));
        assert_eq!(
            introducer_roles(one(true, false)).ok(),
            Some(one(true, false))
        );
        let refused = introducer_roles(one(false, true)).expect_err("no introducer");
        assert_eq!(refused.exit_code, exit::USAGE);
    }
}
