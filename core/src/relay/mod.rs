//! Relay: carries sealed datagrams between two registered peers whose NATs let nothing else through
//! (protocol §9.1, §10.2).
//!
//! A channel has two ends, each a pair of (session with the relay, number). The requester picks the number
//! of its end, with the top bit clear; the relay picks the target's, with the top bit set, so that the two
//! name spaces of one peer cannot meet. What arrives on one end leaves on the other and nowhere else: the
//! relay never takes an address from a datagram, so it is no open proxy, and it cannot read what it carries.
//!
//! [`server`] is the relaying node's table of channels, [`client`] is the map by which an end node tells
//! which remote a relayed datagram belongs to.

pub(crate) mod client;
pub(crate) mod server;

#[cfg(test)]
pub(crate) use server::DropReason;
pub(crate) use server::{Forward, RelayConfig, RelayRefusal, RelayServer};
