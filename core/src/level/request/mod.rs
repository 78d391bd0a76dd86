//! Level 1 (protocol §8.1, and §6.1 for control commands): requests are repeated until answered; the other side
//! executes each reference once.
//!
//! The two halves know nothing of each other. [`Requests`] holds what this side asked, repeats it when loss detection
//! says that it is lost (after about one round trip), or else by its own clock (250 ms doubling to 2 s: the other side
//! may have acknowledged a packet and had no place for the request), and hands each entry back exactly once:
//! answered, cancelled or expired. [`ReplyCache`] decides for what comes in whether to execute it, to repeat the
//! answer or to keep quiet, and gives an answer again that was lost. An entry there ends only when the asker can no
//! longer repeat; where there is no place for one more, the request is not executed and the asker's clock brings it
//! again.

mod outgoing;
mod replies;
#[cfg(test)]
mod tests;

pub(crate) use outgoing::{RequestPayload, Requests};
pub(crate) use replies::{Admission, ReplyCache};
