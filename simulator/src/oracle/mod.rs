//! The judge: what was promised against what came. [`Ledger`] holds what applications sent and
//! checks each thing that arrives. Whole worlds are judged at their end by [`crate::verdict`].

mod ledger;

pub(crate) use ledger::on_wire;
pub use ledger::{Ledger, Unsettled};

/// A broken promise, in words.
pub type Violation = String;

/// Bytes that random plots put into payloads; nobody on the way may see them (docs/protocol.md
/// §9.1).
pub const MARKER: &[u8; 16] = b"plain text here!";

/// Whether a datagram shows the marker.
#[must_use]
pub fn shows_marker(datagram: &[u8]) -> bool {
    let first = MARKER[0];
    let mut rest = datagram;
    while let Some(at) = rest.iter().position(|b| *b == first) {
        rest = &rest[at..];
        if rest.starts_with(MARKER) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}
