//! What stands under both drivers: a node's place on a machine, whatever runs its loop. Nothing here owns an engine or
//! waits for a datagram: that is the driver's part (docs/drivers.md).
//!
//! - [`settings`]: every setting is one row of [`settings::SETTINGS`], and from that row come the option of the command
//!   line, the variable of the environment, the key of `config.toml`, its help, and its picture in `GET /v1/settings`.
//! - [`Place::open`] makes of [`NodeOptions`] what a driver needs: state directory, identity, sockets, listeners, the
//!   engine's configuration, and the surface.
//! - [`carry_out`] does what the engine asks of the outside and answers: names are looked up on a thread of their own,
//!   key records of peers are kept on disk by a [`PeerKeeper`].
//! - [`call_back`] asks an application of this machine over HTTP.
//! - A [`TcpKeeper`] carries out TCP connections to programs of this machine, all on one thread.
//! - A [`FileKeeper`] hashes, reads and writes the files of transfers, each transfer on a thread of its own.
//! - [`watch`] notices new and lost addresses of interfaces, at once where the kernel tells of them.
//! - [`ticket_request`] and [`page_url`] make the first link to the page, [`engine`] an engine with or without a
//!   recorder, [`Clock`] the engine's time of the machine's.
//!
//! A driver's first steps:
//!
//! ```
//! use p2p_host::{LocalAddresses, NodeOptions, bind_udp, settings};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut given = settings::Given::default();
//! let name = settings::by_option("name").ok_or("a setting")?;
//! given.push(name, Some("ada".to_owned()));
//! let options: NodeOptions = settings::read_options(&given).map_err(|e| e.why)?;
//! assert_eq!(options.name.as_deref(), Some("ada"));
//!
//! let sockets = bind_udp("127.0.0.1:0".parse().ok(), 1 << 20)?;
//! let bound: Vec<_> = sockets.iter().filter_map(|s| s.local_addr().ok()).collect();
//! assert_eq!(LocalAddresses::of(bound.clone()).reachable(), bound);
//! # Ok(())
//! # }
//! ```

mod callback;
mod clock;
mod effects;
mod error;
mod files;
mod interfaces;
mod options;
mod peers;
mod place;
mod recording;
mod records;
pub mod settings;
mod sockets;
mod tcp;
mod ticket;

pub use callback::call_back;
pub use clock::Clock;
pub use effects::carry_out;
pub use error::NodeError;
pub use files::FileKeeper;
pub use interfaces::{InterfaceWatch, LocalAddresses, watch};
pub use options::NodeOptions;
pub use peers::PeerKeeper;
pub use place::{Place, Ready};
pub use recording::engine;
pub use records::RecordKeeper;
pub use sockets::{
    bind_http, bind_udp, is_passing, mark_received, mark_to_send, without_timestamps,
};
pub use tcp::TcpKeeper;
pub use ticket::{page_url, ticket_request};
