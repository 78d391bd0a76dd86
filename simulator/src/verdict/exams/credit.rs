//! Windows: what was given back must be told, and told again where it was lost.

use p2p_core::limits;

use super::Sitting;
use crate::oracle::Violation;
use crate::units::{ms, secs};

/// Messages, more than may be under way at once.
const MANY: usize = limits::MESSAGES_IN_FLIGHT + limits::MESSAGES_IN_FLIGHT / 2;

/// More small messages than may be under way: credit for their number comes back.
pub(super) fn many_messages(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    send_all(s, MANY, 40)
        .and_then(|messages| s.delivered((a, b), &messages[messages.len() - 8..], secs(10)))
}

/// More bytes than the window holds in whole messages that are taken as they come.
pub(super) fn much(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    if !s.world.is_direct(a, b) {
        // A relay carries a mebibyte a second.
        return Ok(());
    }
    const ONE: usize = 1 << 20;
    let all = limits::MESSAGE_WINDOW_BYTES as usize / ONE + 4;
    let messages = send_all(s, all, ONE)?;
    s.delivered((a, b), &messages, secs(60))
}

/// Hands so many messages in, as fast as they are taken.
fn send_all(
    s: &mut Sitting<'_>,
    count: usize,
    len: usize,
) -> Result<Vec<p2p_core::api::MessageId>, Violation> {
    let (a, b) = s.pair;
    let start = s.world.now();
    let mut messages = Vec::new();
    while messages.len() < count {
        match s.tell(a, b, len) {
            Ok(message) => messages.push(message),
            Err(_) if s.world.now().saturating_since(start) < secs(60) => s.world.run_for(ms(50)),
            Err(refused) => return Err(format!("after {} of {count}: {refused}", messages.len())),
        }
    }
    Ok(messages)
}

/// A reader that slept takes everything at once, and all that it says for a moment is lost.
pub(super) fn lost_credit(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    s.world.app_mut(b).lazy = true;
    let stream = s.world.try_open_stream(a, b);
    let stream = stream.map_err(|e| format!("a stream is refused: {e}"))?;
    let len = limits::STREAM_WINDOW_BYTES as usize + 50_000;
    let data = (s.payload)(len);
    s.world.write(a, stream, &data);
    s.world.finish(a, stream);
    for n in 0..limits::MESSAGES_IN_FLIGHT {
        // Nobody takes them, so that the ledger knows them by channel and length.
        let data = (s.payload)(40 + n % 128);
        let sent = s.world.send_message(a, b, 1 + n as u32 / 128, data);
        sent.map_err(|e| format!("message {n} is refused: {e}"))?;
    }
    s.world.run_for(secs(8));
    s.mute(b, true);
    s.world.read_eagerly(b);
    s.world.run_for(ms(30));
    s.mute(b, false);
    let last = send_all(s, 1, 40)?;
    s.delivered((a, b), &last, secs(4))?;
    s.world.run_for(secs(4));
    match s.came(b, stream) {
        came if came == len as u64 => Ok(()),
        came => Err(format!(
            "a stream stays without credit at {came} of {len} bytes"
        )),
    }
}
