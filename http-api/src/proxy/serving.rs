//! One exchange at the node that is asked: frames of the caller become an HTTP/1.1 request to the application, the
//! application's answer becomes frames. Told what comes from either side, it gives steps to carry out in order.

use std::collections::VecDeque;

use bytes::Bytes;

use super::answer::{self, Answer, Piece};
use super::fields::{has_passed, request_fields, response_fields, within_service};
use super::frame::{Frame, Reader};
use super::head::{Body, Fields, RequestHead, ResponseHead, SWITCHING};
use super::path::is_clean;
use super::{Fault, code, status};

/// What the serving node says of an exchange to the application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Who asks for what, names in lower case.
    pub fields: Vec<(&'static str, String)>,
    /// This node's mark in `Via`.
    pub mark: String,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServingStep {
    /// Connect to the application and send this.
    Connect(Bytes),
    /// Send more to it.
    ToTarget(Bytes),
    /// Nothing more comes for it.
    EndTarget,
    /// Leave it.
    CloseTarget,
    /// Send to the caller.
    ToPeer(Bytes),
    /// Nothing more comes for the caller.
    EndPeer,
    /// The rest of the upload is not wanted.
    StopPeer(u64),
    /// Abandon both halves, and the application.
    Cut(u64),
}

enum Upload {
    AwaitingHead,
    Coming { body: Body, seen_bytes: u64 },
    Ended,
}

/// Whether the connection may speak, or speaks, another protocol: then its halves end one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upgrade {
    None,
    Wanted,
    Done { has_target_ended: bool },
}

/// The exchange.
pub(crate) struct Serving {
    caller: Caller,
    authority: String,
    base: String,
    reader: Reader,
    upload: Upload,
    upgrade: Upgrade,
    answer: Option<Answer>,
    has_head: bool,
    is_over: bool,
    steps: VecDeque<ServingStep>,
}

impl Serving {
    /// Begins with nothing; `authority` and `base` are the application's.
    pub(crate) fn new(caller: Caller, authority: &str, base: &str) -> Self {
        Self {
            caller,
            authority: authority.to_owned(),
            base: base.trim_end_matches('/').to_owned(),
            reader: Reader::new(),
            upload: Upload::AwaitingHead,
            upgrade: Upgrade::None,
            answer: None,
            has_head: false,
            is_over: false,
            steps: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<ServingStep> {
        self.steps.pop_front()
    }

    /// Whether nothing more happens, once all steps are done.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether the answer's head is still awaited.
    pub(crate) fn awaits_head(&self) -> bool {
        !self.has_head && !self.is_over
    }

    /// The caller sent bytes.
    pub(crate) fn on_stream(&mut self, bytes: Bytes) {
        self.reader.push(bytes);
        while !self.is_over {
            let done = match self.reader.next() {
                Ok(None) => return,
                Ok(Some(frame)) => self.on_frame(frame),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = done {
                self.cut(fault.code());
            }
        }
    }

    /// The caller ended its half.
    pub(crate) fn on_stream_end(&mut self) {
        if self.is_over {
            return;
        }
        let Upload::Coming { body, seen_bytes } = self.upload else {
            return self.cut(code::LENGTH);
        };
        let is_whole = body.length.is_none_or(|length| length == seen_bytes);
        if !self.reader.is_between_frames() || !is_whole || self.upgrade == Upgrade::Wanted {
            return self.cut(code::LENGTH);
        }
        self.upload = Upload::Ended;
        if let Upgrade::Done { has_target_ended } = self.upgrade {
            self.steps.push_back(ServingStep::EndTarget);
            self.is_over = has_target_ended;
            return;
        }
        if body.follows && body.length.is_none() {
            let last = Bytes::from_static(answer::LAST_CHUNK);
            self.steps.push_back(ServingStep::ToTarget(last));
        }
    }

    /// The caller gave its half up, or has gone.
    pub(crate) fn on_caller_gone(&mut self) {
        self.cut(code::CANCELLED);
    }

    /// The application sent bytes.
    pub(crate) fn on_target(&mut self, bytes: Bytes) {
        if let Some(answer) = &mut self.answer {
            answer.push(bytes);
            self.read_answer();
        }
    }

    /// The application ended its half.
    pub(crate) fn on_target_end(&mut self) {
        let Some(answer) = self.answer.as_mut().filter(|_| !self.is_over) else {
            return;
        };
        match answer.on_end() {
            Ok(piece) => piece.into_iter().for_each(|piece| self.on_piece(piece)),
            Err(answer::Unreadable) => self.on_target_broken(),
        }
    }

    /// The connection to the application broke, or what came over it cannot be read.
    pub(crate) fn on_target_broken(&mut self) {
        let whole = Upgrade::Done {
            has_target_ended: true,
        };
        if self.upgrade == whole && !self.is_over {
            // What it sent is whole; only what still comes for it has nowhere to go.
            self.is_over = true;
            self.steps.push_back(ServingStep::StopPeer(code::CANCELLED));
        } else if self.has_head {
            self.cut(code::CUT);
        } else {
            self.say(status::BROKEN);
        }
    }

    /// The application cannot be reached: nothing was carried out.
    pub(crate) fn on_target_refused(&mut self) {
        self.say(status::UNAVAILABLE);
    }

    /// The answer's head did not come in time.
    pub(crate) fn on_late(&mut self) {
        if self.awaits_head() {
            self.say(status::TIMED_OUT);
        }
    }

    fn on_frame(&mut self, frame: Frame) -> Result<(), Fault> {
        match (&mut self.upload, frame) {
            (Upload::AwaitingHead, Frame::RequestHead(bytes)) => {
                let head = RequestHead::decode(bytes)?;
                self.ask(head)
            }
            (Upload::Coming { body, seen_bytes }, Frame::Data(piece)) => {
                *seen_bytes += piece.len() as u64;
                let most = body.length.unwrap_or(u64::MAX);
                if !body.follows || *seen_bytes > most {
                    return Err(Fault::Length);
                }
                if self.upgrade == Upgrade::Wanted {
                    return Err(Fault::Malformed);
                }
                let steps = &mut self.steps;
                let mut put = |bytes| steps.push_back(ServingStep::ToTarget(bytes));
                if body.length.is_none() && self.upgrade == Upgrade::None {
                    answer::chunk(piece, &mut put);
                } else {
                    put(piece);
                }
                Ok(())
            }
            (Upload::Coming { .. }, Frame::Trailers) => Ok(()),
            _ => Err(Fault::Malformed),
        }
    }

    /// The caller's node is not trusted: its head is looked at as if it came from the program itself.
    fn ask(&mut self, head: RequestHead) -> Result<(), Fault> {
        let is_empty = head.body.length.is_none_or(|length| length == 0);
        if !is_clean(&head.path) || !head.body.follows && !is_empty {
            return Err(Fault::Malformed);
        }
        self.upload = Upload::Coming {
            body: head.body,
            seen_bytes: 0,
        };
        if head.upgrade {
            self.upgrade = Upgrade::Wanted;
        }
        let given = head.fields.iter().map(|(n, v)| (n.as_str(), v.as_slice()));
        let mut fields: Fields = vec![("host".to_owned(), self.authority.clone().into_bytes())];
        fields.extend(request_fields(given));
        if has_passed(&fields, &self.caller.mark) {
            self.say(status::LOOP);
            return Ok(());
        }
        let own = self.caller.fields.iter();
        fields.extend(own.map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())));
        let mut add = |name: &str, value: String| fields.push((name.to_owned(), value.into()));
        add("x-forwarded-host", head.authority);
        add("x-forwarded-proto", "http".to_owned());
        add("via", format!("1.1 {}", self.caller.mark));
        let target = format!("{}{}", self.base, head.path);
        let asked = answer::Asked {
            is_head: head.method == "HEAD",
            upgrade: head.upgrade,
        };
        let request = answer::request(&head.method, &target, &fields, head.body, asked);
        self.answer = Some(Answer::new(asked));
        self.steps.push_back(ServingStep::Connect(request));
        Ok(())
    }

    fn read_answer(&mut self) {
        while !self.is_over {
            match self.answer.as_mut().map(Answer::next) {
                Some(Ok(Some(piece))) => self.on_piece(piece),
                Some(Ok(None)) | None => return,
                Some(Err(answer::Unreadable)) => self.on_target_broken(),
            }
        }
    }

    fn on_piece(&mut self, piece: Piece) {
        match piece {
            Piece::Head(status, fields, body) => {
                if status == SWITCHING {
                    self.upgrade = Upgrade::Done {
                        has_target_ended: false,
                    };
                } else {
                    self.upgrade = Upgrade::None;
                }
                let given = fields.iter().map(|(n, v)| (n.as_str(), v.as_slice()));
                let place = |l: &str| within_service(l, &self.authority, &self.base);
                let head = ResponseHead {
                    status,
                    body,
                    fields: response_fields(given, &place),
                };
                match head.encode() {
                    Ok(bytes) => {
                        self.has_head = true;
                        self.tell_peer(Frame::response_head(&bytes));
                    }
                    Err(_) => self.say(status::BROKEN),
                }
            }
            Piece::Body(bytes) => {
                let steps = &mut self.steps;
                Frame::data(bytes, |b| steps.push_back(ServingStep::ToPeer(b)));
            }
            Piece::End if self.upgrade != Upgrade::None => {
                self.upgrade = Upgrade::Done {
                    has_target_ended: true,
                };
                self.steps.push_back(ServingStep::EndPeer);
                self.is_over = matches!(self.upload, Upload::Ended);
            }
            Piece::End => self.end(),
        }
    }

    fn tell_peer(&mut self, bytes: Bytes) {
        self.steps.push_back(ServingStep::ToPeer(bytes));
    }

    /// Everything was said: the halves end.
    fn end(&mut self) {
        self.is_over = true;
        self.steps.push_back(ServingStep::CloseTarget);
        self.steps.push_back(ServingStep::EndPeer);
        if !matches!(self.upload, Upload::Ended) {
            self.steps.push_back(ServingStep::StopPeer(code::DONE));
        }
    }

    fn say(&mut self, status: u16) {
        if !self.is_over {
            self.tell_peer(Frame::problem(status));
            self.end();
        }
    }

    fn cut(&mut self, code: u64) {
        if !self.is_over {
            self.is_over = true;
            self.steps.clear();
            self.steps.push_back(ServingStep::Cut(code));
        }
    }
}

#[cfg(test)]
#[path = "serving_tests.rs"]
mod tests;
