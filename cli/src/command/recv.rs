//! `p2p recv`: waits for the next offer of files and takes it.

use core::time::Duration;
use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

use serde_json::Value;

use super::transfers;
use crate::client::{Call, Client};
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::file_arguments::Recv;
use crate::output::{bytes_text, escape};
use crate::peer;

/// Seconds that one look may wait.
const POLL_S: u64 = 50;

/// Runs it.
pub(super) async fn run(context: &Context, recv: Recv) -> Result<(), Failure> {
    if !recv.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage("Nobody can be asked here").fix("Accept without asking: --yes"));
    }
    let client = context.client()?;
    context.output.remark("waiting for an offer");
    let offer = next_offer(&client, &recv).await?;
    let id = offer["id"].as_str().unwrap_or_default();
    if !recv.yes && !is_wanted(&offer)? {
        transfers::give_up(&client, id).await?;
        context.output.remark("declined");
        return Ok(());
    }
    transfers::accept(&client, id, &recv.place).await?;
    transfers::follow(context, &client, id, None).await
}

async fn next_offer(client: &Client, recv: &Recv) -> Result<Value, Failure> {
    let begun = Instant::now();
    loop {
        let left = recv
            .timeout
            .map(|limit| limit.saturating_sub(begun.elapsed().as_secs()));
        if left == Some(0) {
            return Err(Failure::new(
                exit::TIMEOUT,
                "no_offer",
                "Nobody offered anything in time",
            ));
        }
        let wait = left.unwrap_or(POLL_S).min(POLL_S);
        let target = format!("/v1/transfers?wait={wait}&anyone={}", u8::from(recv.anyone));
        let call = Call::get(target).timeout(Duration::from_secs(wait + 15));
        let mut page = client.json(call).await?;
        if let Some(offer) = page["items"].get_mut(0) {
            return Ok(offer.take());
        }
    }
}

/// Asks the person at the terminal.
fn is_wanted(offer: &Value) -> Result<bool, Failure> {
    let files = offer["files"].as_u64().unwrap_or_default();
    let size = bytes_text(offer["total_bytes"].as_u64().unwrap_or_default());
    let label = escape(offer["label"].as_str().unwrap_or_default());
    let who = peer::name_or_id(offer);
    let unread = |e: std::io::Error| {
        Failure::new(exit::GENERIC, "stdin", "The answer cannot be read").because(e)
    };
    let mut stderr = std::io::stderr().lock();
    write!(
        stderr,
        "{who} offers {label}: {files} files, {size}. Take it? [y/N] "
    )
    .map_err(unread)?;
    stderr.flush().map_err(unread)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(unread)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
