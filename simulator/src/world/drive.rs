//! Drives engines as docs/architecture.md §3 asks a driver to: an input, then every output until
//! there is none, then the timer. Events pass through the ledger's checks on their way to the
//! application.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use p2p_core::api::{
    Accepted, Answer, ApiMisuse, Arrival, Command, EcnCodepoint, Effect, EffectKind, EffectResult,
    Event, Label, LinkId, MessageId, StreamId, StreamRead,
};
use p2p_core::id::NodeId;
use p2p_core::limits;

use super::host::Waiting;
use super::{Occurrence, Who, World};
use crate::app::Reaction;
use crate::engine::Engine;
use crate::fired::Fault;
use crate::oracle::{Violation, shows_marker};
use crate::trace::Sighting;

/// Wake-ups at one instant after which an engine counts as spinning.
const SPINS_MAX: u32 = 1_000;
/// Datagrams after one input beyond which an engine counts as flooding.
const DATAGRAMS_PER_INPUT_MAX: usize = 100_000;
/// Bytes that a paused host's socket holds.
const SOCKET_BUFFER_BYTES: usize = 212_992;
/// A disk that does not keep at once takes so long at least.
const DISK_TIME_MIN: Duration = Duration::from_millis(50);

impl World {
    pub(super) fn on_arrived(
        &mut self,
        host: usize,
        from_stranger: bool,
        (from, to): (SocketAddr, SocketAddr),
        ecn: Option<EcnCodepoint>,
        mut bytes: Vec<u8>,
    ) {
        let receiver = &mut self.hosts[host];
        if receiver.address != to {
            return;
        }
        if receiver.unplugged {
            self.recycle(bytes);
            return;
        }
        if receiver.paused {
            self.fired.note(Fault::Pause);
            let held: usize = receiver.backlog.iter().map(|w| w.bytes.len()).sum();
            if held + bytes.len() <= SOCKET_BUFFER_BYTES {
                receiver.backlog.push_back(Waiting {
                    from_stranger,
                    from,
                    to,
                    ecn,
                    bytes,
                });
            }
            return;
        }
        self.trace
            .datagram(Sighting::Delivered, self.now, from, to, &bytes);
        receiver.traffic.on_received(bytes.len());
        if let Some(captured) = &mut self.captured {
            captured.push((from, to, bytes.clone()));
        }
        if receiver.raw {
            receiver.app.raw.push((self.now, from, bytes));
            return;
        }
        if from_stranger {
            receiver.on_received_from_stranger(from, bytes.len());
        }
        let now = receiver.clock.local(self.now);
        if let Some(engine) = &mut receiver.engine {
            let arrival = Arrival {
                link: LinkId::default(),
                from,
                to: None,
                ecn,
                segment_size: usize::MAX,
                bytes: &mut bytes,
            };
            engine.handle_arrival(now, arrival);
            self.drive(host);
        }
        self.recycle(bytes);
    }

    pub(super) fn on_timer(&mut self, host: usize) {
        let receiver = &mut self.hosts[host];
        receiver.timer = None;
        if receiver.paused {
            self.fired.note(Fault::Pause);
            return;
        }
        let (instant, count) = &mut receiver.spins;
        *count = if *instant == self.now { *count + 1 } else { 1 };
        *instant = self.now;
        let now = receiver.clock.local(self.now);
        if let Some(engine) = &mut receiver.engine {
            engine.handle_timeout(now);
            self.drive(host);
        }
    }

    pub(super) fn on_resumed(&mut self, host: usize) {
        self.hosts[host].paused = false;
        while let Some(w) = self.hosts[host].backlog.pop_front() {
            self.on_arrived(host, w.from_stranger, (w.from, w.to), w.ecn, w.bytes);
        }
        self.on_timer(host);
    }

    /// Drains an engine's outputs and arms its timer.
    pub(super) fn drive(&mut self, host: usize) {
        let Some(mut engine) = self.hosts[host].engine.take() else {
            return;
        };
        let mut sent = 0;
        loop {
            let mut came = self.drain_transmits(host, &mut *engine);
            sent += came;
            while let Some(effect) = engine.poll_effect() {
                came += 1;
                self.on_effect(host, &mut *engine, effect);
            }
            while let Some(event) = engine.poll_event() {
                came += 1;
                self.on_event(host, &mut *engine, event);
            }
            if came == 0 {
                break;
            }
            if sent > DATAGRAMS_PER_INPUT_MAX {
                let name = &self.hosts[host].name;
                self.violations
                    .push(format!("{name} floods: {sent} datagrams"));
                break;
            }
        }
        self.arm(host, &*engine);
        self.hosts[host].engine = Some(engine);
    }

    fn drain_transmits(&mut self, host: usize, engine: &mut dyn Engine) -> usize {
        let now = self.hosts[host].clock.local(self.now);
        let mut buffer = core::mem::take(&mut self.scratch);
        let mut count = 0;
        while let Some(t) = engine.poll_transmit(now, &mut buffer) {
            let segments = t.len.div_ceil(t.segment_size.max(1));
            let fits = t.len <= buffer.len() && t.len > 0 && t.segment_size > 0;
            if !fits || segments > limits::BATCH_SEGMENTS {
                self.violations.push(format!("impossible batch {t:?}"));
                break;
            }
            if self.hosts[host].unplugged {
                self.fired.note(Fault::SendError);
                engine.handle_send_error(now, t.to, t.from);
                count += segments;
                if count > DATAGRAMS_PER_INPUT_MAX {
                    break;
                }
                continue;
            }
            for datagram in buffer[..t.len].chunks(t.segment_size) {
                if self.watch_markers && shows_marker(datagram) {
                    let name = &self.hosts[host].name;
                    self.violations
                        .push(format!("{name} sent clear text to {}", t.to));
                }
                if datagram.len() > limits::MAX_DATAGRAM_BYTES {
                    self.violations.push(format!("too large: {t:?}"));
                }
                self.send(host, t.to, t.ecn, datagram);
            }
            count += segments;
            if count > DATAGRAMS_PER_INPUT_MAX {
                break;
            }
        }
        self.scratch = buffer;
        count
    }

    fn arm(&mut self, host: usize, engine: &dyn Engine) {
        let deadline = engine.poll_timeout();
        let receiver = &mut self.hosts[host];
        let mut at = deadline.map(|d| receiver.clock.world(d.at).max(self.now));
        let (woken_at, count) = receiver.spins;
        if at == Some(self.now) && woken_at == self.now && count > SPINS_MAX {
            at = Some(self.now + Duration::from_millis(1));
            let (name, kind) = (&receiver.name, deadline.map(|d| d.kind));
            self.violations
                .push(format!("{name} never comes to rest: {kind:?}"));
        }
        if receiver.timer.map(|(t, _)| t) == at {
            return;
        }
        if let Some(key) = receiver.timer.take() {
            self.queue.remove(&key);
        }
        let key = at.map(|at| self.schedule(at, Occurrence::Timer { host }));
        self.hosts[host].timer = key;
    }

    fn on_effect(&mut self, host: usize, engine: &mut dyn Engine, effect: Effect) {
        let now = self.hosts[host].clock.local(self.now);
        let result = match effect.kind {
            EffectKind::Resolve { host, port, .. } => {
                let literal = host.parse::<IpAddr>().ok();
                let known = literal
                    .map(|ip| SocketAddr::new(ip, port))
                    .or_else(|| self.names.get(&host).copied());
                EffectResult::Resolved(known.into_iter().collect())
            }
            EffectKind::PersistRecord { .. } => EffectResult::Persisted,
            _ => EffectResult::Failed,
        };
        let id = effect.id;
        // An introducer removed meanwhile is no fault.
        let _ = engine.handle_command(now, Command::Answered { id, result });
    }

    fn on_event(&mut self, host: usize, engine: &mut dyn Engine, event: Event) {
        self.trace.event(self.now, host, &event);
        if let Err(violation) = self.judge(host, &event) {
            let name = &self.hosts[host].name;
            self.violations.push(format!("{name}: {violation}"));
        }
        let reaction = self.hosts[host].app.on_event(self.now, event);
        if let Some(reaction) = reaction
            && let Err(violation) = self.react(host, engine, reaction)
        {
            let name = &self.hosts[host].name;
            self.violations.push(format!("{name}: {violation}"));
        }
    }

    fn react(
        &mut self,
        host: usize,
        engine: &mut dyn Engine,
        reaction: Reaction,
    ) -> Result<(), Violation> {
        let now = self.hosts[host].clock.local(self.now);
        match reaction {
            Reaction::EchoLater(peer, request, body, after) => {
                self.fired.note(Fault::LateAnswer);
                let answer = Occurrence::Answer {
                    host,
                    incarnation: self.hosts[host].incarnation,
                    peer,
                    request,
                    body,
                };
                self.schedule(self.now + after, answer);
            }
            Reaction::KeepLater(peer, message, label) => {
                self.fired.note(Fault::SlowDisk);
                self.keep_later(host, (peer, message, label));
            }
            Reaction::Leave => self.fired.note(Fault::SlowReader),
            Reaction::Echo(peer, request, body) => {
                let command = Command::Answer {
                    peer,
                    request,
                    answer: Answer { status: 0, body },
                };
                // The asker may be gone already.
                let _ = engine.handle_command(now, command);
            }
            Reaction::Take(peer, message, label) => {
                self.take(host, engine, (peer, message, label))?;
            }
            Reaction::Read(peer, stream) => self.read_all(host, engine, peer, stream)?,
            Reaction::Write(peer, stream) => {
                self.write_waiting(host, engine, peer, stream)?;
            }
        }
        Ok(())
    }

    /// Has the disk keep an announced message, as fast as it is.
    fn keep_later(&mut self, host: usize, message: (NodeId, MessageId, Label)) {
        let after = self.hosts[host].app.keeps_after;
        let kept = Occurrence::Kept {
            host,
            incarnation: self.hosts[host].incarnation,
            message,
        };
        self.schedule(self.now + after.max(DISK_TIME_MIN), kept);
    }

    /// The disk is through with a message, or has no room for it and tries again.
    pub(super) fn keep(&mut self, host: usize, message: (NodeId, MessageId, Label)) {
        if self.hosts[host].paused {
            return self.keep_later(host, message);
        }
        if self.hosts[host].app.disk_full {
            self.fired.note(Fault::FullDisk);
            return self.keep_later(host, message);
        }
        let taken = self.take_announced(Who(host), message);
        self.note(taken);
    }

    /// Keeps an announced message, and takes it then.
    pub(super) fn take(
        &mut self,
        host: usize,
        engine: &mut dyn Engine,
        (peer, message, label): (NodeId, MessageId, Label),
    ) -> Result<(), Violation> {
        let now = self.hosts[host].clock.local(self.now);
        let from = *self.by_id.get(&peer).ok_or("message from nobody")?;
        let data = match engine.read_message(now, peer, message) {
            Err(ApiMisuse::UnknownMessage) => {
                return self.ledger.message_gone((from, host), &label);
            }
            read => read.map_err(|e| format!("announced message: {e}"))?,
        };
        let app = &mut self.hosts[host].app;
        app.messages.push(crate::app::ReceivedMessage {
            peer,
            label: label.clone(),
            data: data.clone(),
        });
        self.ledger.message_received((from, host), &label, &data)?;
        // Its sender may hear of it from here on.
        match engine.take_message(now, peer, message) {
            Ok(taken) if taken == data => Ok(()),
            taken => Err(format!("a message that was read is not there: {taken:?}")),
        }
    }

    /// Reads a stream until it has nothing more now.
    pub(super) fn read_all(
        &mut self,
        host: usize,
        engine: &mut dyn Engine,
        peer: NodeId,
        stream: StreamId,
    ) -> Result<(), Violation> {
        let now = self.hosts[host].clock.local(self.now);
        let from = *self.by_id.get(&peer).ok_or("stream of nobody")?;
        loop {
            let read = engine.read_stream(now, peer, stream, 64 << 10);
            let app = &mut self.hosts[host].app;
            let incoming = app.incoming.entry((peer, stream)).or_default();
            match read {
                Ok(StreamRead::Data(data)) => {
                    let offset = incoming.data.len();
                    incoming.data.extend_from_slice(&data);
                    self.ledger
                        .stream_read((from, host), stream, offset, &data)?;
                }
                Ok(StreamRead::Finished) => {
                    let len = incoming.data.len();
                    if !core::mem::replace(&mut incoming.ended, true) {
                        self.ledger.stream_read_end((from, host), stream, len)?;
                    }
                    break;
                }
                Ok(StreamRead::Reset(_)) => {
                    self.ledger.stream_voided((from, host), stream);
                    break;
                }
                Ok(StreamRead::Pending) | Err(ApiMisuse::NotConnected) => {
                    incoming.readable = false;
                    break;
                }
                Err(e) => return Err(format!("readable {stream:?}: {e}")),
            }
        }
        Ok(())
    }

    /// Hands in what waits to be written, as far as the stream takes it, and then its end.
    pub(super) fn write_waiting(
        &mut self,
        host: usize,
        engine: &mut dyn Engine,
        peer: NodeId,
        stream: StreamId,
    ) -> Result<(), Violation> {
        let now = self.hosts[host].clock.local(self.now);
        let to = *self.by_id.get(&peer).ok_or("stream to nobody")?;
        let Some(outgoing) = self.hosts[host].app.outgoing.get_mut(&(peer, stream)) else {
            return Ok(());
        };
        if !outgoing.waiting.is_empty() {
            let data = outgoing.waiting.clone();
            let offered = data.clone();
            let command = Command::WriteStream { peer, stream, data };
            match engine.handle_command(now, command) {
                Ok(Accepted::Written(n)) if n <= offered.len() => {
                    outgoing.waiting = offered.slice(n..);
                    self.ledger
                        .stream_written((host, to), stream, &offered[..n]);
                }
                Ok(other) => return Err(format!("write taken as {other:?}")),
                // Ended by the peer or with the connection.
                Err(_) => outgoing.waiting.clear(),
            }
        }
        if outgoing.waiting.is_empty() && core::mem::take(&mut outgoing.finish) {
            let command = Command::FinishStream { peer, stream };
            if engine.handle_command(now, command).is_ok() {
                self.ledger.stream_finished((host, to), stream);
            }
        }
        Ok(())
    }
}
