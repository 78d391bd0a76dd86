//! Bytes on their way into a stream: they wait here for room in the engine.

use std::collections::VecDeque;

use bytes::Bytes;
use p2p_core::api::{ApiMisuse, Engine, EngineExt as _, StreamId};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;

/// The sending half of a stream.
pub(super) struct Outflow {
    queue: VecDeque<Bytes>,
    bytes: usize,
    ends: bool,
    is_open: bool,
}

impl Outflow {
    /// Nothing waits.
    pub(super) const fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            ends: false,
            is_open: true,
        }
    }

    /// More to send.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if self.is_open && !self.ends && !bytes.is_empty() {
            self.bytes += bytes.len();
            self.queue.push_back(bytes);
        }
    }

    /// The half ends after what waits.
    pub(super) const fn end(&mut self) {
        self.ends = true;
    }

    /// Nothing more can be sent.
    pub(super) fn close(&mut self) {
        self.is_open = false;
        self.queue.clear();
        self.bytes = 0;
    }

    /// Bytes that wait.
    pub(super) const fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the half may still send, or its end was not handed over yet.
    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Hands over what the engine takes.
    pub(super) fn drive(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        (peer, stream): (NodeId, StreamId),
    ) -> Result<(), ApiMisuse> {
        while let Some(front) = self.queue.front_mut() {
            let taken = node.write_stream(now, peer, stream, front.clone())?;
            let _ = front.split_to(taken.min(front.len()));
            self.bytes -= taken;
            if !front.is_empty() {
                return Ok(());
            }
            self.queue.pop_front();
        }
        if self.is_open && self.ends {
            self.is_open = false;
            node.finish_stream(now, peer, stream)?;
        }
        Ok(())
    }
}
