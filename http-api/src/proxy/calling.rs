//! One exchange at the node that asks: a program's request becomes frames, frames of the peer become its answer.
//! The peer is not trusted: what it says of fields and lengths is looked at again.

use bytes::Bytes;

use super::fields::response_fields;
use super::frame::{Frame, Reader};
use super::head::{Body, RequestHead, ResponseHead, SWITCHING};
use super::path::strip_authority;
use super::{Fault, code};

/// Something for the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallingStep {
    /// The answer begins.
    Head(ResponseHead),
    /// A piece of its body.
    Chunk(Bytes),
    /// It is complete.
    End,
    /// The peer's node answers in the application's place.
    Problem(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    AwaitingHead,
    Coming { body: Body, seen_bytes: u64 },
    Ended,
}

/// The exchange.
pub(crate) struct Calling {
    reader: Reader,
    is_head: bool,
    /// Whether the program asked for another protocol.
    upgrade: bool,
    /// Path of the service at this node, without a slash at its end.
    root: String,
    /// What the program asked for as host.
    authority: String,
    upload: Body,
    sent_bytes: u64,
    state: State,
}

impl Calling {
    /// Begins; gives what is to be sent first.
    pub(crate) fn new(head: &RequestHead, root: String) -> Result<(Self, Bytes), Fault> {
        let first = Frame::request_head(&head.encode()?);
        let calling = Self {
            reader: Reader::new(),
            is_head: head.method == "HEAD",
            upgrade: head.upgrade,
            root,
            authority: head.authority.clone(),
            upload: head.body,
            sent_bytes: 0,
            state: State::AwaitingHead,
        };
        Ok((calling, first))
    }

    /// The program sent a piece of its body.
    pub(crate) fn on_upload(&mut self, piece: Bytes, put: impl FnMut(Bytes)) {
        self.sent_bytes += piece.len() as u64;
        Frame::data(piece, put);
    }

    /// Whether what was sent is the whole body.
    pub(crate) fn is_upload_whole(&self) -> bool {
        let told = self.upload.length;
        told.is_none_or(|length| length == self.sent_bytes) || !self.upload.follows
    }

    /// The peer sent bytes.
    pub(crate) fn on_stream(&mut self, bytes: Bytes) -> Result<Vec<CallingStep>, Fault> {
        let mut steps = Vec::new();
        self.reader.push(bytes);
        while let Some(frame) = self.reader.next()? {
            steps.extend(self.on_frame(frame)?);
        }
        Ok(steps)
    }

    /// The peer ended its half.
    pub(crate) fn on_stream_end(&mut self) -> Result<Option<CallingStep>, Fault> {
        match self.state {
            State::Ended => Ok(None),
            State::AwaitingHead => Err(Fault::Length),
            State::Coming { body, seen_bytes } => {
                let told = body.length.filter(|_| body.follows);
                let is_whole = told.is_none_or(|length| length == seen_bytes);
                if !self.reader.is_between_frames() || !is_whole {
                    return Err(Fault::Length);
                }
                self.state = State::Ended;
                Ok(Some(CallingStep::End))
            }
        }
    }

    fn on_frame(&mut self, frame: Frame) -> Result<Option<CallingStep>, Fault> {
        match (&mut self.state, frame) {
            (State::AwaitingHead, Frame::ResponseHead(bytes)) => {
                let head = self.looked_at(ResponseHead::decode(bytes)?)?;
                self.state = State::Coming {
                    body: head.body,
                    seen_bytes: 0,
                };
                Ok(Some(CallingStep::Head(head)))
            }
            (State::AwaitingHead, Frame::Problem(status)) => {
                self.state = State::Ended;
                Ok(Some(CallingStep::Problem(status)))
            }
            (State::Coming { body, seen_bytes }, Frame::Data(piece)) => {
                *seen_bytes += piece.len() as u64;
                let most = body.length.unwrap_or(u64::MAX);
                if !body.follows || *seen_bytes > most {
                    return Err(Fault::Length);
                }
                Ok(Some(CallingStep::Chunk(piece)))
            }
            (State::Coming { .. }, Frame::Trailers) => Ok(None),
            _ => Err(Fault::Malformed),
        }
    }

    fn looked_at(&self, head: ResponseHead) -> Result<ResponseHead, Fault> {
        // Only these two may tell the length of what does not come: the program would take it from the next answer.
        let may_tell = self.is_head || head.status == 304;
        let tells = !head.body.follows && head.body.length.is_some_and(|length| length > 0);
        let is_unasked = head.status == SWITCHING && !self.upgrade;
        if is_unasked || self.is_head && head.body.follows || tells && !may_tell {
            return Err(Fault::Malformed);
        }
        let mut body = head.body;
        if !body.follows && !may_tell {
            body.length = (head.status != 204).then_some(0);
        }
        let given = head.fields.iter().map(|(n, v)| (n.as_str(), v.as_slice()));
        let place = |location: &str| {
            let path = strip_authority(location, &self.authority)?;
            Some(format!("{}{path}", self.root))
        };
        let fields = response_fields(given, &place);
        Ok(ResponseHead {
            body,
            fields,
            ..head
        })
    }
}

/// What a program is told where the peer abandoned the stream before the answer's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No such service, or not for us.
    NoService,
    /// No room; nothing was carried out.
    Busy,
    /// There is one, and it speaks no HTTP.
    WrongKind,
    /// It broke off.
    Broken,
}

impl Refusal {
    /// Of the code with which the peer abandoned its half.
    pub(crate) const fn of(code: u64) -> Self {
        match code {
            code::NO_SERVICE => Self::NoService,
            code::REJECTED => Self::Busy,
            code::WRONG_KIND => Self::WrongKind,
            _ => Self::Broken,
        }
    }
}

#[cfg(test)]
#[path = "calling_tests.rs"]
mod tests;
