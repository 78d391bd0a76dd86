//! Live nodes in virtual time, and what a stranger or a peer that breaks the rules may do to them.

use p2p_core::time::Duration;
use std::net::SocketAddr;

use p2p_core::api::{Command, Label};
use p2p_core::fuzzing::Pair;

/// Bytes that are taken from the front, as far as they go.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A length in one byte, then so many bytes, or what is left.
    fn sized(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte().unwrap_or(0)).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    fn pause(&mut self) -> Duration {
        let b = u64::from(self.byte().unwrap_or(0));
        Duration::from_millis(b * b)
    }
}

/// A stranger's datagrams to two nodes that are connected, and time between them.
pub(crate) fn datagrams(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut pair = Pair::new();
    while let Some(what) = input.byte() {
        let from = SocketAddr::from(([198, 51, 100, what], 4_000));
        pair.datagram(usize::from(what & 1), from, input.sized());
        if what & 2 != 0 {
            pair.advance(input.pause());
        }
    }
    assert!(pair.is_connected(0), "strangers ended a connection");
}

/// Somebody on the way who changes, drops and repeats what two nodes say while they shake hands; they connect as soon
/// as he leaves.
pub(crate) fn handshakes(bytes: &[u8]) {
    let plan = &bytes[..bytes.len().min(300)];
    let mut pair = Pair::apart();
    pair.meddle(plan);
    for _ in 0..plan.len() {
        if pair.is_left_alone() {
            break;
        }
        pair.connect();
        pair.advance(Duration::from_secs(6));
    }
    pair.connect();
    pair.advance(Duration::from_secs(70));
    pair.connect();
    pair.advance(Duration::from_secs(6));
    assert!(pair.is_connected(0), "they do not find together again");
}

/// Frames in authentic packets, orders of the applications, and time between them.
pub(crate) fn session(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut pair = Pair::new();
    while let Some(what) = input.byte() {
        let n = usize::from(what & 1);
        match what >> 1 & 15 {
            0..8 => pair.say(n, input.sized()),
            8..10 => pair.advance(input.pause()),
            kind => order(&mut pair, n, kind, input.sized()),
        }
    }
    pair.advance(Duration::from_secs(5));
}

fn order(pair: &mut Pair, n: usize, kind: u8, bytes: &[u8]) {
    let peer = pair.id(1 - n);
    let data = bytes.to_vec().into();
    let label = Label::from(7);
    pair.order(
        n,
        match kind {
            10 => Command::SendMessage {
                peer,
                label,
                data,
                deadline: None,
            },
            11 => Command::SendDatagram {
                peer,
                label,
                data,
                expiry: None,
            },
            12 => Command::OpenStream { peer, label },
            13 => Command::SendRequest {
                peer,
                service: "echo".to_owned(),
                budget: 0,
                body: data,
                deadline: Duration::from_secs(3),
            },
            14 => Command::SetLatest {
                peer,
                key: "k".to_owned(),
                data,
            },
            _ => Command::Ping(peer),
        },
    );
}
