//! `p2p demo`: an introducer and two peers on this machine, as child processes on real sockets, that find each other
//! and talk. Says in plain words what happens; leaves the nodes running to look at, unless it is told `--once`.

mod nodes;
mod story;

use core::time::Duration;

use serde_json::json;

use crate::client::within;
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use nodes::{Cast, Running};

/// How long the nodes may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// Runs it until the talk is over (`once`) or Ctrl-C.
///
/// # Errors
/// Something of the talk did not happen.
pub(crate) async fn run(context: &Context, once: bool) -> Result<(), Failure> {
    let mut cast = Cast::new()?;
    let mut told = false;
    let talk = async {
        story::tell(context, &mut cast).await?;
        told = true;
        if once {
            return Ok(());
        }
        invite(context, &cast).await?;
        futures_lite::future::pending().await
    };
    let result = futures_lite::future::or(talk, interrupted()).await;
    if within(GOODBYE, cast.end()).await.is_none() {
        log::warn!("the nodes take long to end");
    }
    match result {
        Err(failure) if failure.code == "interrupted" && told => Ok(()),
        other => other,
    }
}

/// Ends, as a failure, with Ctrl-C.
async fn interrupted() -> Result<(), Failure> {
    if let Err(e) = p2p_driver_smol::shutdown_signal().await {
        log::warn!("signals cannot be watched: {e}");
        futures_lite::future::pending::<()>().await;
    }
    Err(Failure::new(
        exit::GENERIC,
        "interrupted",
        "The demo was interrupted",
    ))
}

/// Tells how to look at the nodes that go on running.
async fn invite(context: &Context, cast: &Cast) -> Result<(), Failure> {
    let output = &context.output;
    output.remark("");
    output.remark(
        "The nodes go on running. Look at them in a browser; each link works once, within 60 s:",
    );
    for node in cast.peers() {
        let link = node.client.page_link().await?;
        if output.json {
            let state = node.state.display().to_string();
            output.value(&json!({"node": node.name, "url": link, "state_dir": state}));
        } else {
            output.line(format!("  {:<4} {link}", node.name));
        }
    }
    for line in cast.peers().next().map(examples).unwrap_or_default() {
        output.remark(line);
    }
    output.remark("");
    output.remark("Ctrl-C ends the demo and removes everything that it made.");
    Ok(())
}

/// Commands that work while the demo runs, to copy and paste.
fn examples(node: &Running) -> Vec<String> {
    let (state, name) = (node.state.display(), node.name);
    let curl = format!("curl -H \"Authorization: Bearer $(cat {state}/token)\"");
    let base = format!("http://{}/v1", node.client.address);
    let program = std::env::current_exe().map_or("p2p".to_owned(), |p| p.display().to_string());
    vec![
        format!("  A new link: {program} --state-dir {state} ui"),
        String::new(),
        format!("With curl, as {name}:"),
        format!("  {curl} {base}/peers"),
        format!("  {curl} -d '' {base}/peers/ben/ping"),
        format!("  {curl} --data-binary 'hello' \\"),
        format!("    -H 'Content-Type: application/octet-stream' {base}/peers/ben/messages"),
        String::new(),
        format!("With this program, as {name}:"),
        format!("  {program} --state-dir {state} status"),
        format!("  {program} --state-dir {state} msg ben 'hello'"),
    ]
}
