//! What stands under both drivers: a node's place on a machine, whatever runs its loop.
//!
//! [`Place::open`] opens state directory and sockets from [`NodeOptions`], which [`settings`] reads; [`carry_out`]
//! does what the engine asks of the outside; [`watch`] notices new addresses; [`ticket_request`] and [`page_url`]
//! make the first link to the page. Nothing here owns an engine or waits for a datagram: that is the driver's part
//! (docs/drivers.md).

mod clock;
mod effects;
mod error;
mod interfaces;
mod options;
mod peers;
mod place;
mod recording;
pub mod settings;
mod sockets;
mod ticket;

pub use clock::Clock;
pub use effects::carry_out;
pub use error::NodeError;
pub use interfaces::{InterfaceWatch, LocalAddresses, watch};
pub use options::NodeOptions;
pub use peers::PeerKeeper;
pub use place::{Place, Ready};
pub use recording::engine;
pub use sockets::{bind_http, bind_udp, is_passing, without_timestamps};
pub use ticket::{page_url, ticket_request};
