//! Directory: finding a peer by name or identity and being introduced to it (protocol §6, §10.1).
//!
//! [`server`] is the introducer's side: registrations, names, searches, connect orders. [`client`] is one
//! introducer as a node sees it, from looking its name up to the registration that stands. [`attempts`] is
//! the asking side of introductions: several introducers, one outcome for each operation.
//!
//! Nothing here reads or writes control messages; the parent turns them into calls and outcomes into
//! answers. Every fact comes from an authenticated session: a forged keep-alive has no way in, because the
//! parent reports a packet only after it was opened with the session's keys, and records are verified before
//! they are handed over.

pub(crate) mod attempts;
pub(crate) mod client;
pub(crate) mod server;
