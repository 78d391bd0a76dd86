//! Which frames leave for a peer, and in which order (protocol §8.6).
//!
//! Each thing that writes frames is a [`Source`]: it is asked for one frame at a time, and told what became of the
//! packet that carried it. [`Schedule`] decides whose turn it is from a table of rows: a row goes before those below
//! it, the sources within a row share it by weight ([`turns`]), and no row waits for ever. A new frame is its file in
//! `wire` and its source here; packets and loss recovery know only [`SentFrame`].
//!
//! What must not wait for its turn (acknowledgements, pings, control messages, credit and resets) is in rows before the
//! others: few and small by construction. What has a packet of its own, on a path of its own, is in the rows of
//! [`packets`]; the packets that [`Schedule`] fills are one of those.

mod controls;
mod datagrams;
mod fair_queue;
mod latest;
mod messages;
mod names;
mod packets;
mod pings;
mod relayed;
mod replies;
mod requests;
mod rows;
mod sent;
mod source;
mod streams;
mod turns;

pub(crate) use controls::Controls;
pub(crate) use packets::{PacketName, PacketSchedule, Waiting};
pub(crate) use pings::Pings;
pub(crate) use relayed::{Packets, Relayed};
pub(crate) use replies::{Replies, Reply};
pub(crate) use rows::{Name, Pool, Schedule};
pub(crate) use sent::{Content, ControlSent, LevelSent, ReplySent, RequestSent, SentFrame};
pub(crate) use source::{Acked, Source, Wrote};
