//! What comes in to the engine's thread from the others, and the way in.

use std::net::IpAddr;
use std::sync::mpsc::{self, Receiver, SyncSender};

use p2p_core::api::Command;
use p2p_http_api::HttpInput;

use crate::client::ThreadClient;
use crate::udp::Datagrams;

/// Inputs that may wait for the engine.
const QUEUE: usize = 1_024;

/// What comes in from other threads.
pub(crate) enum Input {
    Datagrams(Datagrams),
    Http(HttpInput<ThreadClient>),
    Command(Command),
    Interfaces(Vec<IpAddr>),
    Shutdown,
}

/// The way in.
pub(crate) type Inputs = SyncSender<Input>;

/// A bounded way in, and its end.
pub(crate) fn channel() -> (Inputs, Receiver<Input>) {
    mpsc::sync_channel(QUEUE)
}
