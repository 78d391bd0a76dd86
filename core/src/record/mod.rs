//! Flight recording: everything that an engine is told, written down so that another process can run it again bit for
//! bit (docs/drivers.md §6).
//!
//! [`Recorder`] wraps any engine and writes its configuration and inputs as JSON, one a line, to any writer; [`replay`]
//! feeds them to a new engine and compares what that one gives. A recording holds the node's secrets and every byte
//! that it was sent, so drivers make one only when told to.
//!
//! An engine is a function of its inputs from the first on, so a recording without its beginning is worth nothing. One
//! that reaches its limit therefore keeps what it has and ends with a mark; it does not drop what is oldest.

mod digest;
mod line;
mod recorder;
mod replay;
#[cfg(test)]
mod tests;

pub use recorder::Recorder;
pub use replay::{Ending, ReplayError, Replayed, replay};
