//! The workloads on top of a bare engine: what the receiving side does with events, what the driving side keeps under
//! way. Knows neither socket nor clock, so that the driver and the in-memory measurement share it.

use std::sync::Arc;

use bytes::Bytes;
use p2p_core::api::{
    Accepted, Answer, Command, Engine, Event, RequestOutcome, StreamId, StreamRead,
};
use p2p_core::id::NodeId;
use p2p_core::time::{Duration, Instant};

use crate::meter::Meter;
use crate::workload::{DATAGRAM_BYTES, REQUEST_BYTES, REQUESTS_IN_FLIGHT, Workload};

/// Bytes handed to the stream at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Channel and service that carry the measurement.
const CHANNEL: u32 = 1;
const SERVICE: &str = "echo";
/// Deadline of a request: none is expected to come near it.
const DEADLINE: Duration = Duration::from_secs(30);
/// Datagrams after which the receiver tells the sender, and how far the sender may be ahead: what the queue holds.
const TOLD_EVERY: u64 = 128;
const AHEAD: u64 = p2p_core::limits::DATAGRAM_QUEUE as u64;
/// Silence after which datagrams under way are taken for lost.
const LOSS: Duration = Duration::from_millis(20);

/// The receiving side.
pub(crate) struct Receiver {
    meter: Arc<Meter>,
    datagrams: u64,
}

impl Receiver {
    /// Counts into `meter`.
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self {
            meter,
            datagrams: 0,
        }
    }

    /// Counts what arrives and answers what asks.
    pub(crate) fn handle_event(&mut self, now: Instant, node: &mut dyn Engine, event: Event) {
        match event {
            Event::StreamReadable { peer, stream } => self.read(now, node, peer, stream),
            Event::DatagramReceived { peer, data, .. } => self.count(now, node, peer, &data),
            Event::RequestReceived {
                peer,
                request,
                body,
                ..
            } => {
                self.meter.add(body.len() as u64, 1);
                let answer = Answer { status: 0, body };
                order(
                    node,
                    now,
                    Command::Answer {
                        peer,
                        request,
                        answer,
                    },
                );
            }
            _ => {}
        }
    }

    fn read(&mut self, now: Instant, node: &mut dyn Engine, peer: NodeId, stream: StreamId) {
        while let Ok(StreamRead::Data(data)) = node.read_stream(now, peer, stream, usize::MAX) {
            self.meter.add(data.len() as u64, 1);
        }
    }

    fn count(&mut self, now: Instant, node: &mut dyn Engine, peer: NodeId, data: &Bytes) {
        self.meter.add(data.len() as u64, 1);
        self.datagrams += 1;
        if self.datagrams.is_multiple_of(TOLD_EVERY) {
            let data = Bytes::copy_from_slice(&self.datagrams.to_be_bytes());
            send_datagram(node, now, peer, data);
        }
    }
}

/// The driving side.
pub(crate) struct Driver {
    workload: Workload,
    peer: NodeId,
    body: Bytes,
    stream: Option<StreamId>,
    writable: bool,
    under_way: u64,
    /// Datagrams sent and not taken for lost, and those that the receiver has told of.
    sent: u64,
    told: u64,
    told_at: Instant,
    /// Requests answered.
    pub answered: u64,
    /// Orders refused, and requests that ended without an answer.
    pub failed: u64,
}

impl Driver {
    /// Drives `workload` towards `peer`; nothing happens before [`Driver::advance`].
    pub(crate) fn new(workload: Workload, peer: NodeId, now: Instant) -> Self {
        let len = match workload {
            Workload::Bulk => CHUNK_BYTES,
            Workload::Datagrams => DATAGRAM_BYTES,
            _ => REQUEST_BYTES,
        };
        Self {
            workload,
            peer,
            body: Bytes::from(vec![7; len]),
            stream: None,
            writable: true,
            under_way: 0,
            sent: 0,
            told: 0,
            told_at: now,
            answered: 0,
            failed: 0,
        }
    }

    /// Notes what the engine tells.
    pub(crate) fn handle_event(&mut self, now: Instant, event: &Event) {
        match event {
            Event::StreamWritable { .. } => self.writable = true,
            Event::RequestDone { outcome, .. } => {
                self.under_way -= 1;
                match outcome {
                    RequestOutcome::Answered(_) => self.answered += 1,
                    _ => self.failed += 1,
                }
            }
            Event::DatagramReceived { data, .. } => {
                if let Some(count) = data.first_chunk() {
                    self.told = self.told.max(u64::from_be_bytes(*count));
                    self.sent = self.sent.max(self.told);
                    self.told_at = now;
                }
            }
            _ => {}
        }
    }

    /// Starts as much as may be under way.
    pub(crate) fn advance(&mut self, now: Instant, node: &mut dyn Engine) {
        match self.workload {
            Workload::Bulk => self.write(now, node),
            Workload::Datagrams => self.flood(now, node),
            Workload::Serial => self.ask(now, node, 1),
            Workload::Requests => self.ask(now, node, REQUESTS_IN_FLIGHT as u64),
            Workload::Idle => {}
        }
    }

    /// When [`Driver::advance`] must be called although nothing was told.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        (self.workload == Workload::Datagrams).then(|| self.told_at + LOSS)
    }

    fn write(&mut self, now: Instant, node: &mut dyn Engine) {
        let peer = self.peer;
        if self.stream.is_none() {
            let label = CHANNEL.into();
            match order(node, now, Command::OpenStream { peer, label }) {
                Some(Accepted::Stream(stream)) => self.stream = Some(stream),
                _ => self.failed += 1,
            }
        }
        while let Some(stream) = self.stream
            && self.writable
        {
            let data = self.body.clone();
            let write = Command::WriteStream { peer, stream, data };
            match order(node, now, write) {
                Some(Accepted::Written(bytes)) => self.writable = bytes == CHUNK_BYTES,
                _ => {
                    self.failed += 1;
                    self.writable = false;
                }
            }
        }
    }

    fn flood(&mut self, now: Instant, node: &mut dyn Engine) {
        if self.told_at + LOSS <= now {
            self.sent = self.told;
            self.told_at = now;
        }
        while self.sent < self.told + AHEAD {
            send_datagram(node, now, self.peer, self.body.clone());
            self.sent += 1;
        }
    }

    fn ask(&mut self, now: Instant, node: &mut dyn Engine, most: u64) {
        while self.under_way < most {
            let request = Command::SendRequest {
                peer: self.peer,
                service: SERVICE.to_owned(),
                budget: 0,
                body: self.body.clone(),
                deadline: DEADLINE,
            };
            if order(node, now, request).is_none() {
                self.failed += 1;
                return;
            }
            self.under_way += 1;
        }
    }
}

fn send_datagram(node: &mut dyn Engine, now: Instant, peer: NodeId, data: Bytes) {
    let datagram = Command::SendDatagram {
        peer,
        label: CHANNEL.into(),
        data,
        expiry: None,
    };
    order(node, now, datagram);
}

fn order(node: &mut dyn Engine, now: Instant, command: Command) -> Option<Accepted> {
    node.handle_command(now, command).ok()
}
