//! The application's orders to one peer: each goes to the level that it names.

use bytes::Bytes;

use super::{Asker, Peer};
use crate::api::{
    Answer, ApiMisuse, Channel, Event, Label, MessageId, RequestId, RequestOutcome, StreamId,
    StreamRead,
};
use crate::level::datagram::Queued;
use crate::level::request::RequestPayload;
use crate::limits;
use crate::purpose::Purpose;
use crate::schedule::Reply;
use crate::time::{Duration, Instant};
use crate::wire::control::ControlMessage;

impl Peer {
    fn connected_levels(&mut self) -> Result<&mut super::Levels, ApiMisuse> {
        if self.sessions.is_up() {
            Ok(self.levels())
        } else {
            Err(ApiMisuse::NotConnected)
        }
    }

    fn connected_flows(&mut self) -> Result<&mut super::Levels, ApiMisuse> {
        self.connected_levels()?;
        Ok(self.flows())
    }

    /// A number for a request that no request under way has.
    fn unused_reference(&mut self) -> Result<u64, ApiMisuse> {
        self.connected_levels()?;
        let levels = self.levels.as_ref().ok_or(ApiMisuse::NotConnected)?;
        Ok(levels.requests.unused_reference(&mut self.rng))
    }

    /// Level 0.
    pub(crate) fn send_datagram(
        &mut self,
        label: &Label,
        data: Bytes,
        expiry: Option<Instant>,
    ) -> Result<(), ApiMisuse> {
        let levels = match label.channel {
            Channel::Number(_) => self.connected_levels()?,
            Channel::Service(_) => self.connected_flows()?,
        };
        let tag = levels.names.tag(label)?;
        levels.datagrams.push(Queued { tag, data, expiry })
    }

    /// Level "latest".
    pub(crate) fn set_latest(&mut self, key: &str, data: Bytes) -> Result<(), ApiMisuse> {
        self.connected_flows()?.latest.set(key, data)
    }

    /// Level 1.
    pub(crate) fn send_request(
        &mut self,
        now: Instant,
        (service, budget): (String, u8),
        body: Bytes,
        deadline: Duration,
    ) -> Result<RequestId, ApiMisuse> {
        if service.is_empty() || service.len() > limits::SERVICE_NAME_BYTES {
            return Err(ApiMisuse::InvalidArgument {
                what: "the service name",
                must: "must have 1 to 48 bytes",
            });
        }
        if budget > limits::FORWARD_BUDGET {
            return Err(ApiMisuse::InvalidArgument {
                what: "the budget",
                must: "must be 0 to 3",
            });
        }
        let limit_bytes = limits::REQUEST_BODY_BYTES;
        if body.len() > limit_bytes {
            return Err(ApiMisuse::TooLarge { limit_bytes });
        }
        let payload = RequestPayload::App {
            service,
            budget,
            body,
        };
        let reference = self.unused_reference()?;
        let levels = self.connected_levels()?;
        let asker = Asker::Application;
        let started = levels
            .requests
            .start(reference, payload, asker, now + deadline, now);
        started
            .map(|()| RequestId(reference))
            .map_err(ApiMisuse::Limit)
    }

    /// Ends a request without waiting for its answer.
    pub(crate) fn cancel_request(&mut self, request: RequestId) -> Result<(), ApiMisuse> {
        let levels = self.connected_levels()?;
        levels
            .requests
            .peek(request.0)
            .filter(|entry| entry.owner == Asker::Application)
            .ok_or(ApiMisuse::UnknownRequest)?;
        levels.requests.cancel(request.0);
        let (peer, outcome) = (self.id, RequestOutcome::Cancelled);
        self.event(Event::RequestDone {
            peer,
            request,
            outcome,
        });
        Ok(())
    }

    /// Answers a request that came in.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        request: RequestId,
        answer: Answer,
    ) -> Result<(), ApiMisuse> {
        let limit_bytes = limits::REQUEST_BODY_BYTES;
        if answer.body.len() > limit_bytes {
            return Err(ApiMisuse::TooLarge { limit_bytes });
        }
        let levels = self.connected_levels()?;
        let reply = Reply::Application {
            status: answer.status,
            body: answer.body,
        };
        let is_awaited = levels.replies.answer(request.0, reply, now);
        is_awaited.then_some(()).ok_or(ApiMisuse::UnknownRequest)
    }

    /// Sends a control request whose answer comes back with `purpose`. `message` is made from the reference.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        purpose: Purpose,
        life: Duration,
        message: impl FnOnce(u64) -> ControlMessage,
    ) -> Result<(), ApiMisuse> {
        let reference = self.unused_reference()?;
        let levels = self.connected_levels()?;
        let payload = RequestPayload::Control(Bytes::from(message(reference).to_json()));
        let asker = Asker::Engine(purpose);
        levels
            .requests
            .start(reference, payload, asker, now + life, now)
            .map_err(ApiMisuse::Limit)
    }

    /// Level 2.
    pub(crate) fn send_message(
        &mut self,
        label: &Label,
        data: Bytes,
        deadline: Option<Instant>,
    ) -> Result<MessageId, ApiMisuse> {
        let levels = self.connected_flows()?;
        let tag = levels.names.tag(label)?;
        let id = levels.messages.send(tag, data, deadline)?;
        Ok(self.epoch.outer_message(id))
    }

    /// Takes a message that arrived, also from an association that has ended since.
    pub(crate) fn take_message(&mut self, message: MessageId) -> Result<Bytes, ApiMisuse> {
        let live = self.epoch.inner_message(message).and_then(|id| {
            let levels = self.levels.as_mut()?;
            levels.messages.take(id)
        });
        live.or_else(|| self.unclaimed.take_message(message))
            .ok_or(ApiMisuse::UnknownMessage)
    }

    /// Level 3: opens a stream.
    pub(crate) fn open_stream(&mut self, label: &Label) -> Result<StreamId, ApiMisuse> {
        let levels = self.connected_flows()?;
        let tag = levels.names.tag(label)?;
        let id = levels.streams.open(tag)?;
        Ok(self.epoch.outer_stream(id))
    }

    fn inner(&self, stream: StreamId) -> Result<StreamId, ApiMisuse> {
        self.epoch
            .inner_stream(stream)
            .ok_or(ApiMisuse::UnknownStream)
    }

    /// Appends bytes; how many were taken.
    pub(crate) fn write_stream(&mut self, id: StreamId, data: Bytes) -> Result<usize, ApiMisuse> {
        let id = self.inner(id)?;
        self.connected_levels()?.streams.write(id, data)
    }

    /// Ends the sending half.
    pub(crate) fn finish_stream(&mut self, id: StreamId) -> Result<(), ApiMisuse> {
        let id = self.inner(id)?;
        self.connected_levels()?.streams.finish(id)
    }

    /// Abandons the sending half.
    pub(crate) fn reset_stream(&mut self, id: StreamId, code: u64) -> Result<(), ApiMisuse> {
        let id = self.inner(id)?;
        self.connected_levels()?.streams.reset(id, code)
    }

    /// Wants no more bytes.
    pub(crate) fn stop_stream(&mut self, id: StreamId, code: u64) -> Result<(), ApiMisuse> {
        let id = self.inner(id)?;
        self.connected_levels()?.streams.stop(id, code)
    }

    /// Reads on, also in a stream of an association that has ended since.
    pub(crate) fn read_stream(
        &mut self,
        id: StreamId,
        max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse> {
        if let Some(read) = self.unclaimed.read_stream(id, max_bytes) {
            return Ok(read);
        }
        let id = self.inner(id)?;
        self.connected_levels()?.streams.read(id, max_bytes)
    }

    /// Measures one round trip.
    pub(crate) fn ping(&mut self) -> Result<(), ApiMisuse> {
        if !self.sessions.is_up() {
            return Err(ApiMisuse::NotConnected);
        }
        self.pings.ask();
        Ok(())
    }
}
