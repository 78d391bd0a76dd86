//! Moves what can be moved: bytes of streams, events to followers, messages into the inbox, parked requests whose
//! time is over.

use p2p_core::api::{Command, Engine, EngineExt, StreamRead};
use p2p_core::time::Instant;

use super::stream::StreamExchange;
use super::{Phase, Surface};
use crate::exchange::{HttpId, ResponsePart};
use crate::problem::{Code, Problem};
use crate::reply::{Full, Sides, Wait, WaitFor};
use crate::resources::{inbox, messages};
use crate::view;

/// Code with which streams are abandoned when the HTTP client goes away.
const CLIENT_GONE: u64 = 0;

impl Surface {
    fn stream_mut(&mut self, id: HttpId) -> Option<&mut StreamExchange> {
        match self.exchanges.get_mut(&id).map(|e| &mut e.phase) {
            Some(Phase::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    /// Moves a stream's bytes both ways as far as they go.
    pub(super) fn drive_stream(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        self.drive_upload(now, node, id);
        self.drive_download(now, node, id);
        let Some(stream) = self.stream_mut(id) else {
            return;
        };
        // A writer waits for the acknowledgement; the others are done when both halves are.
        if stream.sides != Sides::Write && !stream.read_open && !stream.write_open {
            self.forget(id);
        }
    }

    fn drive_upload(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        let Some(stream) = self.stream_mut(id) else {
            return;
        };
        let (peer, number) = (stream.peer, stream.stream);
        while let Some(data) = stream.upload_front() {
            match node.write_stream(now, peer, number, data) {
                Ok(bytes) if stream.on_written(bytes) => {}
                Ok(_) => return,
                Err(misuse) => {
                    let failed = misuse.into();
                    return self.fail_upload(id, failed);
                }
            }
        }
        if stream.wants_finish() {
            stream.close_write();
            if let Err(misuse) = node.finish_stream(now, peer, number) {
                self.fail_upload(id, misuse.into());
            }
        }
    }

    /// The peer takes no more: a writer is told, in full duplex the other half goes on.
    pub(super) fn fail_upload(&mut self, id: HttpId, problem: Problem) {
        let Some(stream) = self.stream_mut(id) else {
            return;
        };
        stream.close_write();
        if stream.sides == Sides::Write {
            self.respond(id, problem.into());
        } else if !stream.read_open {
            self.forget(id);
        }
    }

    /// The peer has acknowledged everything.
    pub(super) fn finish_upload(&mut self, id: HttpId) {
        let Some(stream) = self.stream_mut(id) else {
            return;
        };
        if stream.sides == Sides::Write {
            let written = view::StreamWritten {
                stream: stream.stream.0.to_string(),
                written_bytes: stream.written_bytes(),
            };
            self.respond(id, Full::json(200, &written));
        }
    }

    fn drive_download(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        while let Some(stream) = self.stream_mut(id) {
            let room = stream.download_room();
            if room == 0 {
                return;
            }
            match node.read_stream(now, stream.peer, stream.stream, room) {
                Ok(StreamRead::Data(data)) if data.is_empty() => return,
                Ok(StreamRead::Data(data)) => {
                    stream.on_downloaded(data.len());
                    self.push(id, ResponsePart::Chunk(data));
                }
                Ok(StreamRead::Pending) => return,
                Ok(StreamRead::Finished) => {
                    stream.read_open = false;
                    self.push(id, ResponsePart::End);
                }
                Ok(StreamRead::Reset(_)) | Err(_) => return self.break_download(id),
            }
        }
    }

    /// What the peer sends cannot be completed: the client must notice, so the connection breaks.
    pub(super) fn break_download(&mut self, id: HttpId) {
        let Some(stream) = self.stream_mut(id) else {
            return;
        };
        if stream.read_open {
            stream.read_open = false;
            stream.close_write();
            self.push(id, ResponsePart::Abort);
        }
        self.forget(id);
    }

    /// The client went away in the middle.
    pub(super) fn abandon_stream(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        stream: &StreamExchange,
    ) {
        let (peer, number, code) = (stream.peer, stream.stream, CLIENT_GONE);
        // Refusals are fine here: that half has ended by itself.
        if stream.write_open {
            let reset = Command::ResetStream {
                peer,
                stream: number,
                code,
            };
            let _ = node.handle_command(now, reset);
        }
        if stream.read_open {
            let stop = Command::StopStream {
                peer,
                stream: number,
                code,
            };
            let _ = node.handle_command(now, stop);
        }
    }

    /// Gives the sides of a stream free.
    pub(super) fn release_stream(&mut self, id: HttpId, stream: &StreamExchange) {
        let key = (stream.peer, stream.stream.0);
        let Some(ends) = self.state.streams.get_mut(&key) else {
            return;
        };
        ends.reader = ends.reader.filter(|reader| *reader != id);
        ends.writer = ends.writer.filter(|writer| *writer != id);
        if ends.reader.is_none() && ends.writer.is_none() {
            self.state.streams.remove(&key);
        }
    }

    /// Gives one follower what it has room for.
    pub(super) fn drive_follower(&mut self, now: Instant, id: HttpId) {
        let Some(Phase::Following(follower)) = self.exchanges.get_mut(&id).map(|e| &mut e.phase)
        else {
            return;
        };
        while let Some(bytes) = follower.poll(now, &self.state.journal) {
            self.responses.push_back((id, ResponsePart::Chunk(bytes)));
        }
    }

    /// Gives all followers what they have room for.
    pub(super) fn drive_followers(&mut self, now: Instant) {
        let following = |phase: &Phase| matches!(phase, Phase::Following(_));
        let exchanges = self.exchanges.iter().filter(|(_, e)| following(&e.phase));
        let ids: Vec<HttpId> = exchanges.map(|(id, _)| *id).collect();
        for id in ids {
            self.drive_follower(now, id);
        }
    }

    /// Takes messages out of the engine in the order of their arrival, while the inbox has room. What stays there
    /// counts against its sender's credit.
    pub(super) fn take_waiting_messages(&mut self, now: Instant, node: &mut dyn Engine) {
        while let Some(waiting) = self.state.waiting.front().cloned() {
            if !self.state.inbox.make_room(waiting.len) {
                return;
            }
            self.state.waiting.pop_front();
            // An error tells that the connection ended and took the message with it.
            if let Ok(data) = node.take_message(now, waiting.peer, waiting.message) {
                self.on_message(now, &waiting, data);
            }
        }
    }

    /// Answers every parked request that waits for `what`.
    pub(super) fn resolve(&mut self, what: &WaitFor, full: &Full) {
        for id in self.waiting_for(|w| w == what) {
            self.respond(id, full.clone());
        }
    }

    /// Parked requests in order of their ids.
    pub(super) fn waiting_for(&self, fits: impl Fn(&WaitFor) -> bool) -> Vec<HttpId> {
        let exchanges = self.exchanges.iter();
        let waiting = exchanges.filter_map(|(id, e)| match &e.phase {
            Phase::Waiting(wait) if fits(&wait.what) => Some(*id),
            _ => None,
        });
        waiting.collect()
    }

    /// Answers long polls that something has arrived for.
    pub(super) fn wake_pollers(&mut self) {
        for id in self.waiting_for(|w| matches!(w, WaitFor::Inbox { .. })) {
            let Some(Phase::Waiting(Wait { what, .. })) = self.exchanges.get(&id).map(|e| &e.phase)
            else {
                continue;
            };
            let WaitFor::Inbox {
                since,
                filter,
                limit,
            } = what
            else {
                continue;
            };
            if let Some(full) = inbox::page(&self.state, *since, filter, *limit) {
                self.respond(id, full);
            }
        }
    }

    /// Answers parked requests whose time is over.
    pub(super) fn end_waits(&mut self, now: Instant) {
        let exchanges = self.exchanges.iter();
        let due = exchanges.filter_map(|(id, e)| match &e.phase {
            Phase::Waiting(wait) if wait.until <= now => Some((*id, wait.what.clone())),
            _ => None,
        });
        for (id, what) in due.collect::<Vec<_>>() {
            let full = self.too_late(&what);
            self.respond(id, full);
        }
    }

    fn too_late(&self, what: &WaitFor) -> Full {
        match what {
            WaitFor::Message(number) => messages::created(&self.state, *number),
            WaitFor::Inbox { since, .. } => {
                let since = (*since > 0).then(|| self.state.run.encode(*since));
                inbox::empty_page(since.as_deref())
            }
            WaitFor::Pong(peer) => Full::json(200, &view::Pong::new(peer, None, None)),
            WaitFor::Connect(_) => {
                let detail = "The attempt did not end in time.";
                Problem::new(Code::ConnectTimedOut, detail).into()
            }
            WaitFor::Search(_) => {
                let detail = "No introducer answered the search in time.";
                Problem::new(Code::IntroducerUnreachable, detail).into()
            }
            WaitFor::Answer(..) => {
                let detail = "No answer came before the deadline.";
                Problem::new(Code::RequestTimedOut, detail).into()
            }
        }
    }

    /// Exchanges on streams of a peer.
    pub(super) fn streams_of(&self, peer: p2p_core::id::NodeId) -> Vec<HttpId> {
        let exchanges = self.exchanges.iter();
        let fits = exchanges.filter(|(_, e)| match &e.phase {
            Phase::Stream(stream) => stream.peer == peer,
            _ => false,
        });
        fits.map(|(id, _)| *id).collect()
    }
}
