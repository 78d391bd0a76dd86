//! What tests of a peer and of its parts share.

mod hooks;
#[cfg(test)]
mod pair;

#[cfg(test)]
pub(super) use pair::{initiator, sessions};
