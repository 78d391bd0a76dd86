//! Lines: what a client says on its WebSocket leaves as datagrams, what the peer sends on that channel comes down. As
//! with all datagrams, none waits for a client that does not read: it is lost.

use bytes::Bytes;
use p2p_core::api::{ApiMisuse, Channel, Command, Engine, Label};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;

use super::{Phase, Surface};
use crate::exchange::{BodyKind, HttpId, ResponsePart};
use crate::websocket::{Goodbye, Talk};

/// Bytes handed to the driver and not yet written.
const WINDOW_BYTES: usize = 256 << 10;
/// Bytes that the driver may hand over at once.
const UPLOAD_BYTES: usize = 64 << 10;

/// One of them.
pub(super) struct OpenLine {
    peer: NodeId,
    label: Label,
    talk: Talk,
    outstanding_bytes: usize,
}

impl OpenLine {
    /// Begins.
    pub(super) fn new(peer: NodeId, label: Label) -> Self {
        Self {
            peer,
            label,
            talk: Talk::new(),
            outstanding_bytes: 0,
        }
    }

    /// So many bytes were written.
    pub(super) const fn on_consumed(&mut self, bytes: usize) {
        self.outstanding_bytes = self.outstanding_bytes.saturating_sub(bytes);
    }

    /// How many bytes the driver may hand over now.
    pub(super) const fn body_window(&self) -> usize {
        // Datagrams never wait here; a client that does not read its pongs gets none of its pings read.
        if self.outstanding_bytes > 2 * WINDOW_BYTES {
            0
        } else {
            UPLOAD_BYTES
        }
    }
}

impl Surface {
    /// Begins the answer.
    pub(super) fn begin_line(&mut self, id: HttpId, accept: String) {
        let own = vec![
            ("connection", "upgrade".to_owned()),
            ("upgrade", "websocket".to_owned()),
            ("sec-websocket-accept", accept),
        ];
        let headers = self.headers(own, None);
        let head = ResponsePart::Head {
            status: 101,
            headers,
            body: BodyKind::Upgraded,
        };
        self.push(id, head);
    }

    fn line_mut(&mut self, id: HttpId) -> Option<&mut OpenLine> {
        match self.exchanges.get_mut(&id).map(|e| &mut e.phase) {
            Some(Phase::Line(line)) => Some(line),
            _ => None,
        }
    }

    /// The client sent bytes.
    pub(super) fn on_line_upload(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        id: HttpId,
        bytes: Bytes,
    ) {
        let Some(line) = self.line_mut(id) else {
            return;
        };
        line.talk.push(bytes);
        while let Some(data) = line.talk.next() {
            let command = Command::SendDatagram {
                peer: line.peer,
                label: line.label.clone(),
                data,
                expiry: None,
            };
            match node.handle_command(now, command) {
                Err(ApiMisuse::TooLarge { .. }) => line.talk.close(Goodbye::TooLong),
                Err(ApiMisuse::NotConnected | ApiMisuse::UnknownPeer | ApiMisuse::ShutDown) => {
                    line.talk.close(Goodbye::Over);
                }
                // There was no room: as others, it is lost.
                Err(_) | Ok(_) => {}
            }
        }
        self.flush_line(id);
    }

    /// The client ended its half.
    pub(super) fn on_line_end(&mut self, id: HttpId) {
        if let Some(line) = self.line_mut(id) {
            line.talk.close(Goodbye::Over);
            self.flush_line(id);
        }
    }

    /// A datagram came; whether a line takes it. All lines of its peer and channel get it.
    pub(super) fn on_line_datagram(
        &mut self,
        peer: NodeId,
        channel: &Channel,
        data: &Bytes,
    ) -> bool {
        let ids = self.lines(|line| line.peer == peer && line.label.channel == *channel);
        for id in &ids {
            if let Some(line) = self.line_mut(*id)
                && line.outstanding_bytes < WINDOW_BYTES
            {
                line.talk.say(data.clone());
                self.flush_line(*id);
            }
        }
        !ids.is_empty()
    }

    /// A peer has gone.
    pub(super) fn close_lines_with(&mut self, peer: NodeId) {
        for id in self.lines(|line| line.peer == peer) {
            self.on_line_end(id);
        }
    }

    fn lines(&self, fits: impl Fn(&OpenLine) -> bool) -> Vec<HttpId> {
        let exchanges = self.exchanges.iter();
        let lines = exchanges.filter_map(|(id, e)| match &e.phase {
            Phase::Line(line) if fits(line) => Some(*id),
            _ => None,
        });
        lines.collect()
    }

    /// Hands over what is for the client.
    fn flush_line(&mut self, id: HttpId) {
        let Some(line) = self.line_mut(id) else {
            return;
        };
        let output = line.talk.take_output();
        let is_over = line.talk.is_over();
        if let Some(bytes) = output {
            line.outstanding_bytes += bytes.len();
            self.push(id, ResponsePart::Chunk(bytes));
        }
        if is_over {
            self.push(id, ResponsePart::End);
            self.forget(id);
        }
    }
}
