//! A laboratory of real NATs: Linux network namespaces joined by virtual cables, with the kernel's own address
//! translation in between. What runs inside are the real binaries with real sockets; nothing leaves the machine.
//!
//! ```text
//!   peer-a ── router-a ──┐
//!                        internet ── introducer
//!   peer-b ── router-b ──┘
//! ```
//!
//! `masquerade` keeps the port of its first user, so its mapping is endpoint-independent and its filtering address-
//! and port-dependent (RFC 4787): the common "cone". `masquerade random` draws a port for each destination: the
//! "symmetric" NAT that only a relay gets through. Every test measures that with a probe before it relies on it.
//!
//! [`namespace`] makes and removes namespaces, [`router`] loads NAT, filter and loss rules, [`internet`] builds the
//! picture above, [`twofold`] machines with several addresses, [`node`] runs a node in it, [`http`] speaks to its HTTP
//! surface, [`scene`] lets two nodes talk. All is removed on drop, on panic too; what a killed run left is removed by
//! the next.

pub mod http;
pub mod internet;
pub mod namespace;
pub mod node;
pub mod router;
pub mod scene;
pub mod tool;
pub mod twofold;

pub use internet::{Internet, Side};
pub use node::{Node, Program};
pub use router::Nat;
pub use scene::Scene;
pub use tool::{announce, skipped};
