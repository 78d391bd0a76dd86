//! Moves what can be moved: bytes of streams, events to followers, messages into the inbox, parked requests whose
//! time is over.

use core::time::Duration;

use p2p_core::api::{Command, Engine, EngineExt, StreamId, StreamRead};
use p2p_core::time::Instant;

use super::stream::StreamExchange;
use super::{Phase, Surface};
use crate::exchange::{HttpId, ResponsePart};
use crate::inbox::{Fullness, ItemKind};
use crate::problem::{Code, Problem};
use crate::reply::{Full, Sides, Wait, WaitFor};
use crate::resources::{inbox, invites, messages, transfers};
use crate::state::CLIENT_GONE;
use crate::view;

/// How long a client that reads with `confirm=1` and has gone may take to confirm.
const CONFIRM_TIME: Duration = Duration::from_secs(60);

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
        if let Some(stream) = self.stream_mut(id)
            && stream.wants_end()
        {
            // It is forgotten when the driver says what became of the client.
            stream.end_told = true;
            self.push(id, ResponsePart::End);
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
                    return self.fail_upload(now, node, id, failed);
                }
            }
        }
        if stream.wants_finish() {
            stream.on_finished();
            if let Err(misuse) = node.finish_stream(now, peer, number) {
                self.fail_upload(now, node, id, misuse.into());
            }
        }
    }

    /// The peer takes no more: a writer is told. In full duplex the response breaks, so that the client cannot take it
    /// for a success; where the response ends with the peer's direction alone, that goes on.
    pub(super) fn fail_upload(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        id: HttpId,
        problem: Problem,
    ) {
        let Some(stream) = self.stream_mut(id) else {
            return;
        };
        stream.close_write();
        stream.write_settled = true;
        if stream.sides == Sides::Write {
            self.respond(id, problem.into());
        } else if !stream.is_write_apart() {
            self.break_stream(now, node, id);
        }
    }

    /// The peer's application has taken everything.
    pub(super) fn finish_upload(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        let Some(stream) = self.stream_mut(id) else {
            return;
        };
        stream.write_settled = true;
        if stream.sides == Sides::Write {
            let written = view::StreamWritten {
                stream: stream.stream.0.to_string(),
                written_bytes: stream.written_bytes(),
            };
            self.respond(id, Full::json(200, &written));
        } else {
            self.drive_stream(now, node, id);
        }
    }

    fn drive_download(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        while let Some(stream) = self.stream_mut(id).filter(|s| s.read_open) {
            // A look: the end is taken later, when the client has it.
            let room = match node.read_stream(now, stream.peer, stream.stream, 0) {
                Ok(StreamRead::Data(_)) => stream.download_room(),
                Ok(StreamRead::Pending) => return,
                Ok(StreamRead::Finished) => {
                    stream.read_open = false;
                    return;
                }
                Ok(StreamRead::Reset(_)) | Err(_) => return self.break_stream(now, node, id),
            };
            if room == 0 {
                return;
            }
            let Ok(StreamRead::Data(data)) =
                node.read_stream(now, stream.peer, stream.stream, room)
            else {
                return self.break_stream(now, node, id);
            };
            stream.on_downloaded(data.len());
            self.push(id, ResponsePart::Chunk(data));
        }
    }

    /// It cannot be completed: the client must notice, so the connection breaks.
    pub(super) fn break_stream(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        let Some(stream) = self.stream_mut(id).map(|s| s.clone()) else {
            return;
        };
        if stream.sides == Sides::Write {
            let detail = "The stream was given up here.";
            self.respond(id, Problem::new(Code::StreamStopped, detail).into());
        } else if !stream.end_told {
            self.push(id, ResponsePart::Abort);
        }
        self.forget(id);
        self.abandon_stream(now, node, &stream);
    }

    /// The client has read the whole response: what the peer sent counts as taken, unless the client is to say so.
    pub(super) fn complete_stream(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        let Some(stream) = self.stream_mut(id).map(|s| s.clone()) else {
            return;
        };
        self.forget(id);
        if stream.is_confirmed() {
            let key = (stream.peer, stream.stream.0);
            self.state.unconfirmed.insert(key, now + CONFIRM_TIME);
        } else {
            // Only the end is left. An error tells that the connection ended first, and its end told the sender.
            let _ = node.read_stream(now, stream.peer, stream.stream, 1);
        }
        if stream.write_open {
            self.reset_stream(now, node, &stream);
        }
    }

    /// Gives up what clients have read to the end and did not confirm in time.
    pub(super) fn end_unconfirmed(&mut self, now: Instant, node: &mut dyn Engine) {
        let due = |until: &Instant| *until <= now;
        while let Some(key) = self
            .state
            .unconfirmed
            .iter()
            .find(|(_, u)| due(u))
            .map(|(k, _)| *k)
        {
            self.state.unconfirmed.remove(&key);
            let (peer, stream, code) = (key.0, StreamId(key.1), CLIENT_GONE);
            // Refused where it was confirmed or the connection ended.
            let _ = node.handle_command(now, Command::StopStream { peer, stream, code });
        }
    }

    /// Breaks the exchanges on streams that a handler gave up.
    pub(super) fn break_given_up(&mut self, now: Instant, node: &mut dyn Engine) {
        for (peer, stream) in core::mem::take(&mut self.state.given_up) {
            for id in self.streams_of(peer) {
                if self.stream_mut(id).is_some_and(|s| s.stream == stream) {
                    self.break_stream(now, node, id);
                }
            }
        }
    }

    fn reset_stream(&mut self, now: Instant, node: &mut dyn Engine, stream: &StreamExchange) {
        let (peer, stream, code) = (stream.peer, stream.stream, CLIENT_GONE);
        let _ = node.handle_command(now, Command::ResetStream { peer, stream, code });
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
        if !stream.write_settled {
            self.reset_stream(now, node, stream);
        }
        if stream.sides != Sides::Write {
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

    /// Brings messages from the engine to where they are kept, each peer in its turn, while the inbox has room for
    /// them. What stays in the engine counts against its sender's credit.
    pub(super) fn take_waiting_messages(&mut self, now: Instant, node: &mut dyn Engine) {
        while !self.state.keeps_messages() || self.state.keeping.may_write(now) {
            let mut all = core::mem::take(&mut self.state.waiting);
            let next = all.take(|waiting| {
                let stranger = self.state.is_stranger(now, node, waiting.peer);
                let channel = &waiting.label.channel;
                let inbox = &self.state.inbox;
                let from = (waiting.peer, stranger);
                inbox.has_room(ItemKind::Message, from, channel, waiting.len)
            });
            self.state.waiting = all;
            let Some(waiting) = next else {
                // Nothing to try the disk with: it is not asked for at once again.
                self.state.keeping.put_off(now);
                break;
            };
            // An error tells that its sender gave it up.
            if let Ok(data) = node.read_message(now, waiting.peer, waiting.message) {
                self.on_message(now, node, waiting, data);
            }
        }
        self.tell_fullness(now, node);
    }

    /// Tells when the inbox begins to be full for those that the user chose, and when there is room again.
    pub(super) fn tell_fullness(&mut self, now: Instant, node: &dyn Engine) {
        let waiting: Vec<_> = self.state.waiting.peers().collect();
        let held_back = waiting
            .into_iter()
            .any(|peer| !self.state.is_stranger(now, node, peer));
        let fullness = if self.state.keeping.is_refused() && self.state.keeps_messages() {
            Fullness::NotKept
        } else if held_back {
            Fullness::Full
        } else {
            self.state.inbox.fullness()
        };
        if fullness != self.state.fullness {
            self.state.fullness = fullness;
            let inbox = view::InboxState::new(&self.state);
            let encode = move || serde_json::to_value(&inbox).unwrap_or_default();
            self.tell(now, "inbox", None, encode);
        }
    }

    /// Answers every parked request that waits for `what`.
    pub(super) fn resolve(&mut self, what: &WaitFor, full: &Full) {
        for id in self.waiting_for(|w| w == what) {
            self.respond(id, full.clone());
        }
    }

    /// Parked requests wait for something else from now on.
    pub(super) fn wait_instead(&mut self, before: &WaitFor, after: &Wait) {
        for id in self.waiting_for(|w| w == before) {
            if let Some(Phase::Waiting(wait)) = self.exchanges.get_mut(&id).map(|e| &mut e.phase) {
                *wait = after.clone();
            }
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
            WaitFor::Kept(_) => super::not_kept().into(),
            WaitFor::Listening(_) => {
                let detail = "The system did not say in time whether the port can be had.";
                Problem::new(Code::Busy, detail).into()
            }
            WaitFor::Join(peer) => invites::still_waiting(&self.state, peer),
            WaitFor::Offer(_) => transfers::offered(&self.state),
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
