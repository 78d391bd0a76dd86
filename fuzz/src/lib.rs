//! What is fuzzed, by name. A target takes any bytes, and panics only where a promise is broken: nothing panics, loops
//! or grows without bound, and what is read and written again is the same.

mod http;
mod nodes;
mod state;

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// All targets; each has a folder of this name in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("control", p2p_core::fuzzing::control),
    ("datagram", nodes::datagrams),
    ("frames", p2p_core::fuzzing::frames),
    ("handshake", nodes::handshakes),
    ("http", http::request),
    ("outside", p2p_core::fuzzing::outside),
    ("session", nodes::session),
    ("state", state::files),
];
