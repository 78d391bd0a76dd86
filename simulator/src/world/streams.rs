//! What applications do with streams: open, write with patience, read, end.

use p2p_core::api::{Accepted, ApiMisuse, Command, Label, MessageId, StreamId};
use p2p_core::id::NodeId;

use super::label::stream_label;
use super::story::unexpected;
use super::{Who, World};
use crate::app::{Incoming, Outgoing};
use crate::oracle::Violation;

/// A stream between two hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamHandle {
    /// Who opened it.
    pub opener: Who,
    /// The other end.
    pub peer: Who,
    /// Its number.
    pub id: StreamId,
}

impl StreamHandle {
    /// The end across from `who`.
    #[must_use]
    pub fn across(&self, who: Who) -> Who {
        if who == self.opener {
            self.peer
        } else {
            self.opener
        }
    }
}

impl World {
    /// Opens a stream.
    ///
    /// # Errors
    /// What the engine says.
    pub fn try_open_stream(&mut self, from: Who, to: Who) -> Result<StreamHandle, ApiMisuse> {
        let peer = self.id(to);
        let label = stream_label(from.0, to.0);
        let command = Command::OpenStream { peer, label };
        let Accepted::Stream(id) = self.hand_in(from, command)? else {
            return Err(unexpected());
        };
        let epoch = self.epoch(from.0, to.0);
        self.ledger.stream_opened((from.0, to.0), id, epoch);
        let app = &mut self.hosts[from.0].app;
        app.incoming.insert((peer, id), Incoming::default());
        app.outgoing.insert((peer, id), Outgoing::default());
        self.drive(from.0);
        Ok(StreamHandle {
            opener: from,
            peer: to,
            id,
        })
    }

    /// Opens a stream that must be accepted.
    ///
    /// # Panics
    /// Where the engine refuses.
    #[track_caller]
    pub fn open_stream_to(&mut self, from: Who, to: Who) -> StreamHandle {
        match self.try_open_stream(from, to) {
            Ok(stream) => stream,
            Err(e) => panic!("{} cannot open a stream: {e}", self.name(from)),
        }
    }

    /// Writes to a stream; what it does not take now follows when it does.
    pub fn write(&mut self, who: Who, stream: StreamHandle, data: &[u8]) {
        let key = (self.id(stream.across(who)), stream.id);
        let app = &mut self.hosts[who.0].app;
        let Some(outgoing) = app.outgoing.get_mut(&key) else {
            return;
        };
        outgoing.waiting = [&outgoing.waiting[..], data].concat().into();
        self.continue_writing(who, key);
    }

    /// Ends one's own direction of a stream after everything written.
    pub fn finish(&mut self, who: Who, stream: StreamHandle) {
        let key = (self.id(stream.across(who)), stream.id);
        if let Some(outgoing) = self.hosts[who.0].app.outgoing.get_mut(&key) {
            outgoing.finish = true;
        }
        self.continue_writing(who, key);
    }

    /// Abandons one's own direction of a stream.
    pub fn reset_stream(&mut self, who: Who, stream: StreamHandle, code: u64) {
        let peer = self.id(stream.across(who));
        let command = Command::ResetStream {
            peer,
            stream: stream.id,
            code,
        };
        let pair = (who.0, stream.across(who).0);
        if self.hand_in(who, command).is_ok() {
            self.ledger.stream_voided(pair, stream.id);
            self.hosts[who.0].app.outgoing.remove(&(peer, stream.id));
        }
        self.drive(who.0);
    }

    /// Asks the other end to write no more; both directions are owed no longer.
    pub fn stop_stream(&mut self, who: Who, stream: StreamHandle, code: u64) {
        let other = stream.across(who);
        let command = Command::StopStream {
            peer: self.id(other),
            stream: stream.id,
            code,
        };
        if self.hand_in(who, command).is_ok() {
            self.ledger.stream_voided((other.0, who.0), stream.id);
            self.ledger.stream_voided((who.0, other.0), stream.id);
        }
        self.drive(who.0);
    }

    /// Takes what has come in on a stream since the last call.
    pub fn read(&mut self, who: Who, stream: StreamHandle) -> Vec<u8> {
        let key = (self.id(stream.across(who)), stream.id);
        let Some(incoming) = self.hosts[who.0].app.incoming.get_mut(&key) else {
            return Vec::new();
        };
        let fresh = incoming.data[incoming.consumed..].to_vec();
        incoming.consumed = incoming.data.len();
        fresh
    }

    /// All that has come in on a stream.
    #[must_use]
    pub fn received(&self, who: Who, stream: StreamHandle) -> &[u8] {
        let peer = self.id(stream.across(who));
        self.app(who).received(peer, stream.id)
    }

    /// Whether a stream's end has come in.
    #[must_use]
    pub fn has_ended(&self, who: Who, stream: StreamHandle) -> bool {
        let peer = self.id(stream.across(who));
        self.app(who).has_ended(peer, stream.id)
    }

    /// Lets a lazy application take its messages and read its streams after all, from now on.
    pub fn read_eagerly(&mut self, who: Who) {
        self.hosts[who.0].app.lazy = false;
        let incoming = &self.hosts[who.0].app.incoming;
        let unread = incoming
            .iter()
            .filter(|(_, i)| i.readable && !i.ended && !i.void);
        let keys: Vec<_> = unread.map(|(key, _)| *key).collect();
        let untaken = core::mem::take(&mut self.hosts[who.0].app.untaken);
        if let Some(mut engine) = self.hosts[who.0].engine.take() {
            for message in untaken {
                let taken = self.take(who.0, &mut *engine, message);
                self.note(taken);
            }
            for (peer, stream) in keys {
                let read = self.read_all(who.0, &mut *engine, peer, stream);
                self.note(read);
            }
            self.hosts[who.0].engine = Some(engine);
        }
        self.drive(who.0);
    }

    /// Takes one message that was announced, whatever became of its sender since.
    ///
    /// # Errors
    /// The engine has it no more, or it is not as it was sent.
    pub(crate) fn take_announced(
        &mut self,
        who: Who,
        message: (NodeId, MessageId, Label),
    ) -> Result<(), Violation> {
        let Some(mut engine) = self.hosts[who.0].engine.take() else {
            return Ok(());
        };
        let taken = self.take(who.0, &mut *engine, message);
        self.hosts[who.0].engine = Some(engine);
        self.drive(who.0);
        taken
    }

    fn continue_writing(&mut self, who: Who, key: (NodeId, StreamId)) {
        if let Some(mut engine) = self.hosts[who.0].engine.take() {
            let written = self.write_waiting(who.0, &mut *engine, key.0, key.1);
            self.hosts[who.0].engine = Some(engine);
            self.note(written);
        }
        self.drive(who.0);
    }
}
