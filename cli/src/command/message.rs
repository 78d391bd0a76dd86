//! `p2p msg`: a message, whole or not at all, with the delivery tick.

use core::time::Duration;

use super::content;
use crate::arguments::Msg;
use crate::client::Call;
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::output::{Tone, escape};
use crate::peer;

/// The channel of messages between people, which the page shows too.
pub(super) const CHAT_CHANNEL: u64 = 1;

/// Runs it.
pub(super) async fn run(context: &Context, msg: Msg) -> Result<(), Failure> {
    let body = content(&msg.text)?;
    let client = context.client()?;
    let id = peer::connected(&client, &msg.peer).await?;
    let seconds = msg.timeout;
    let topic = msg
        .topic
        .query()
        .unwrap_or(format!("channel={CHAT_CHANNEL}"));
    let target = format!("/messages?{topic}&timeout_ms={}", seconds * 1_000);
    let call = Call::post(peer::path(&id, &target))
        .header("prefer", format!("wait={seconds}"))
        .timeout(Duration::from_secs(seconds + 15));
    let answer = client.json(call.bytes(body)).await?;
    let output = &context.output;
    let delivered = answer["state"] == "delivered";
    if output.json && delivered {
        output.value(&answer);
    } else if delivered {
        let tick = output.paint(Tone::Good, "✓ delivered");
        output.line(format!("{tick} to {}", escape(&msg.peer)));
    }
    if delivered {
        return Ok(());
    }
    let reason = answer["reason"].as_str().unwrap_or("still on its way");
    let failure = match reason {
        "abandoned" => Failure::new(exit::REFUSED, "abandoned", "The peer gave the message up")
            .because("It stayed incomplete there for too long."),
        "disconnected" => {
            let what = "The connection ended before the delivery was confirmed";
            Failure::new(exit::UNREACHABLE, "disconnected", what)
                .because("The message may or may not have arrived.")
        }
        other => Failure::new(
            exit::TIMEOUT,
            "not_delivered",
            "The message was not delivered in time",
        )
        .because(format!("Its state is: {other}.")),
    };
    Err(failure.fix("See how the peer is reached with: p2p why PEER; then send again."))
}
