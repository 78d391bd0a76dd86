//! Orders of the application, and requests of the engine: each goes to the level that it names.

use bytes::Bytes;

use super::{Asker, Levels};
use crate::api::{
    Answer, ApiMisuse, Channel, Event, Label, MessageId, RequestId, RequestOutcome, StreamId,
    StreamRead,
};
use crate::level::datagram::Queued;
use crate::level::request::RequestPayload;
use crate::level::stream::Streams;
use crate::limits;
use crate::purpose::Purpose;
use crate::schedule::Reply;
use crate::time::{Duration, Instant};
use crate::wire::control::ControlMessage;

impl Levels {
    /// Level 0.
    pub(crate) fn send_datagram(
        &mut self,
        label: &Label,
        data: Bytes,
        expiry: Option<Instant>,
    ) -> Result<(), ApiMisuse> {
        let levels = match label.channel {
            Channel::Number(_) => self.connected()?,
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
        let payload = |_| RequestPayload::App {
            service,
            budget,
            body,
        };
        self.start(now, Asker::Application, deadline, payload)
            .map(RequestId)
    }

    fn start(
        &mut self,
        now: Instant,
        asker: Asker,
        life: Duration,
        payload: impl FnOnce(u64) -> RequestPayload,
    ) -> Result<u64, ApiMisuse> {
        self.connected()?;
        let open = self.open.as_mut().ok_or(ApiMisuse::NotConnected)?;
        let rng = &mut self.rng;
        open.dialogues.ask(now, rng, asker, life, payload)
    }

    /// Ends a request without waiting for its answer.
    pub(crate) fn cancel_request(&mut self, request: RequestId) -> Result<(), ApiMisuse> {
        self.connected()?.dialogues.cancel(request.0)?;
        let (peer, outcome) = (self.peer, RequestOutcome::Cancelled);
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
        let dialogues = &mut self.connected()?.dialogues;
        let reply = Reply::Application {
            status: answer.status,
            body: answer.body,
        };
        let is_awaited = dialogues.answer(request.0, reply, now);
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
        let json = |reference| Bytes::from(message(reference).to_json());
        let payload = |reference| RequestPayload::Control(json(reference));
        self.start(now, Asker::Engine(purpose), life, payload)
            .map(|_| ())
    }

    /// Answers a control request; the answer is kept to be repeated. Nobody waits for it after the association.
    pub(crate) fn answer_control(
        &mut self,
        now: Instant,
        reference: u64,
        message: &ControlMessage,
    ) {
        if let Ok(open) = self.connected() {
            open.dialogues.answer_control(reference, message, now);
        }
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

    /// A message that arrived, also from an association that has ended since; it stays.
    pub(crate) fn read_message(&self, message: MessageId) -> Result<Bytes, ApiMisuse> {
        let inner = self.epoch.inner_message(message);
        let live = inner.and_then(|id| self.open_ref()?.messages.read(id));
        live.or_else(|| self.unclaimed.read_message(message))
            .ok_or(ApiMisuse::UnknownMessage)
    }

    /// Takes a message that arrived, also from an association that has ended since.
    pub(crate) fn take_message(&mut self, message: MessageId) -> Result<Bytes, ApiMisuse> {
        let inner = self.epoch.inner_message(message);
        let live = inner.and_then(|id| self.open_mut()?.messages.take(id));
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

    /// A stream of the association that stands, and its identifier there.
    pub(crate) fn stream(
        &mut self,
        stream: StreamId,
    ) -> Result<(&mut Streams, StreamId), ApiMisuse> {
        let id = self.inner(stream)?;
        Ok((&mut self.connected()?.streams, id))
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
        let (streams, id) = self.stream(id)?;
        streams.read(id, max_bytes)
    }
}
