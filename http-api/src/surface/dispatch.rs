//! A request's way to its handler: place, path, identity, query, body, handler. Each step may end it with a problem.
//! The order matters: nothing about paths shows before the locks are passed.

use core::time::Duration;

use bytes::Bytes;
use p2p_core::api::{Engine, StreamId};
use p2p_core::time::Instant;

use super::calling::OpenCall;
use super::follower::Follower;
use super::line::OpenLine;
use super::stream::StreamExchange;
use super::{BODIES_BYTES, BODY_TIME, EXCHANGES, Exchange, Phase, Surface};
use crate::call::{Call, Query};
use crate::exchange::{HttpId, Request, ResponsePart};
use crate::locks::Scope;
use crate::problem::{Code, Problem};
use crate::reply::{Close, Full, Reply, Sides};
use crate::routes::{Body, Found, Route, find};

/// Longest target read; drivers cut heads off later.
const TARGET_BYTES: usize = 8 << 10;

/// What becomes of a request head.
enum Admission {
    /// It runs at once.
    Run(&'static Route, Call),
    /// It runs when its body is there.
    Receive(&'static Route, Call, usize),
    /// It is answered already.
    Answered(Full),
}

impl Surface {
    pub(super) fn dispatch(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        id: HttpId,
        request: Request,
    ) {
        let head_only = request.method == "HEAD";
        match self.admit(now, id, request) {
            Err(problem) => self.respond_bare(id, problem.into(), head_only, None),
            Ok(Admission::Answered(full)) => self.respond_bare(id, full, head_only, None),
            Ok(Admission::Run(route, call)) => self.run(now, node, route, &call, head_only),
            Ok(Admission::Receive(route, call, limit)) => {
                let exchange = Exchange {
                    head_only,
                    successor: route.successor,
                    phase: Phase::Receiving {
                        call: Box::new(call),
                        route,
                        body: Vec::new(),
                        limit,
                        until: now + BODY_TIME,
                    },
                };
                self.exchanges.insert(id, exchange);
            }
        }
    }

    fn admit(&mut self, now: Instant, id: HttpId, request: Request) -> Result<Admission, Problem> {
        self.state.locks.check_place(&request)?;
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let readable = request.target.len() <= TARGET_BYTES && !request.target.contains('#');
        let found = find(&request.method, path).filter(|_| readable);
        let scope = match &found {
            Some(Found::Route(route, _)) => route.scope,
            Some(Found::OtherMethods(_, scope)) => *scope,
            Some(Found::Nothing) | None => Scope::Owner,
        };
        let identity = self.state.locks.check_identity(now, &request, scope)?;
        let (route, params) = match found {
            Some(Found::Route(route, params)) => (route, params),
            Some(Found::OtherMethods(methods, _)) => return other_methods(&request, &methods),
            Some(Found::Nothing) => {
                return Err(Problem::new(
                    Code::NotFound,
                    "There is nothing at this path.",
                ));
            }
            None => {
                let detail = "The path is not in origin form or has a broken percent-escape.";
                return Err(Problem::new(Code::BadTarget, detail));
            }
        };
        let query = if route.is_tail {
            Query::default()
        } else {
            Query::parse(query, route.query)?
        };
        if self.exchanges.len() >= EXCHANGES {
            return Err(busy("Too many requests are open at once."));
        }
        check_content_type(&request, route)?;
        let call = Call {
            id,
            params,
            query,
            identity,
            request,
            body: Bytes::new(),
        };
        let limit = match route.body {
            Body::None | Body::Stream => return Ok(Admission::Run(route, call)),
            Body::Json(limit, _) | Body::Bytes(limit) => limit,
        };
        let declared = call.request.header("content-length");
        if declared
            .and_then(|l| l.parse::<u64>().ok())
            .is_some_and(|l| l > limit as u64)
        {
            return Err(too_large(limit));
        }
        Ok(Admission::Receive(route, call, limit))
    }

    /// Body bytes for a handler that wants them all.
    pub(super) fn receive(&mut self, id: HttpId, chunk: &[u8]) {
        let Some(Phase::Receiving { body, limit, .. }) =
            self.exchanges.get_mut(&id).map(|e| &mut e.phase)
        else {
            return;
        };
        let problem = if body.len() + chunk.len() > *limit {
            too_large(*limit)
        } else if self.bodies_bytes + chunk.len() > BODIES_BYTES {
            busy("Too many bodies are coming in at once.")
        } else {
            body.extend_from_slice(chunk);
            self.bodies_bytes += chunk.len();
            return;
        };
        self.respond(id, problem.into());
    }

    /// Gives up bodies of which nothing comes any more.
    pub(super) fn end_silent_bodies(&mut self, now: Instant) {
        let exchanges = self.exchanges.iter();
        let silent = exchanges.filter_map(|(id, e)| match &e.phase {
            Phase::Receiving { until, .. } if *until <= now => Some(*id),
            _ => None,
        });
        for id in silent.collect::<Vec<_>>() {
            let detail = "Nothing more of the body came for ten seconds.";
            self.respond(id, Problem::new(Code::BodyTimedOut, detail).into());
        }
    }

    /// The body is complete: run the handler.
    pub(super) fn received(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        let Some(exchange) = self.forget(id) else {
            return;
        };
        if let Phase::Receiving {
            route,
            mut call,
            body,
            ..
        } = exchange.phase
        {
            call.body = body.into();
            self.run(now, node, route, &call, exchange.head_only);
        }
    }

    fn run(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        route: &'static Route,
        call: &Call,
        head_only: bool,
    ) {
        let id = call.id;
        let successor = route.successor;
        let reply = (route.handler)(&mut self.turn(now, node), call);
        let phase = match reply {
            Err(problem) => {
                self.respond_bare(id, problem.into(), head_only, successor);
                return;
            }
            Ok(Reply::Full(full)) => {
                self.respond_bare(id, full, head_only, successor);
                return self.follow_up(now, node);
            }
            Ok(Reply::Wait(wait)) => Phase::Waiting(wait),
            Ok(Reply::Follow { position, interest }) => {
                let mut follower = Follower::new(now, position, interest);
                let event_stream = "text/event-stream; charset=utf-8".to_owned();
                self.begin_streaming(id, vec![("content-type", event_stream)]);
                self.push(id, ResponsePart::Chunk(follower.greeting()));
                Phase::Following(follower)
            }
            Ok(Reply::Stream {
                peer,
                stream,
                sides,
                close,
            }) => {
                if sides != Sides::Write {
                    self.begin_stream(id, stream, close);
                }
                Phase::Stream(StreamExchange::new(peer, stream, sides, close))
            }
            Ok(Reply::Line {
                peer,
                label,
                accept,
            }) => {
                self.begin_line(id, accept);
                Phase::Line(Box::new(OpenLine::new(peer, label)))
            }
            Ok(Reply::Call {
                peer,
                stream,
                calling,
                first,
            }) => Phase::Calling(Box::new(OpenCall::new(peer, stream, *calling, first))),
        };
        let exchange = Exchange {
            head_only,
            successor,
            phase,
        };
        self.exchanges.insert(id, exchange);
        match self.exchanges.get(&id).map(|e| &e.phase) {
            Some(Phase::Following(_)) => self.drive_follower(now, id),
            Some(Phase::Stream(_)) => self.drive_stream(now, node, id),
            Some(Phase::Calling(_)) => self.drive_call(now, node, id),
            // What was changed counts from now on, whenever its client hears so.
            Some(Phase::Waiting(_)) => self.follow_up(now, node),
            _ => {}
        }
    }

    /// Sees to what a handler changed.
    fn follow_up(&mut self, now: Instant, node: &mut dyn Engine) {
        self.break_given_up(now, node);
        self.end_unallowed(now, node);
        self.end_unwanted_tunnels(now, node);
        self.drive_transfers(now, node);
        // An acknowledgement may have made room in the inbox.
        let told = self.state.journal.next();
        self.take_waiting_messages(now, node);
        if self.state.journal.next() != told {
            self.drive_followers(now);
        }
    }

    fn begin_stream(&mut self, id: HttpId, stream: StreamId, close: Close) {
        let octets = "application/octet-stream".to_owned();
        let number = stream.0.to_string();
        let mut headers = vec![("content-type", octets), ("x-stream-id", number)];
        if !close.with_peer {
            // How the connection ends tells whether the client has read everything.
            headers.push(("connection", "close".to_owned()));
        }
        self.begin_streaming(id, headers);
    }
}

fn other_methods(request: &Request, methods: &[&str]) -> Result<Admission, Problem> {
    let allow = methods.join(", ");
    if request.method == "OPTIONS" {
        return Ok(Admission::Answered(
            Full::empty(204).with_header("allow", allow),
        ));
    }
    let detail = if matches!(request.method.as_str(), "GET" | "HEAD") {
        "GET must not change state, so this path takes other methods only."
    } else {
        "This path takes other methods only."
    };
    Err(Problem::new(Code::MethodNotAllowed, detail).with_header("allow", allow))
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("At most {limit} bytes fit here.");
    Problem::new(Code::BodyTooLarge, detail).with_member("limit_bytes", limit)
}

fn busy(detail: &str) -> Problem {
    Problem::new(Code::Busy, detail).with_retry_after(Duration::from_secs(1))
}

/// JSON routes take JSON only, which a form of another site cannot send; byte routes take any but a form with files.
fn check_content_type(request: &Request, route: &Route) -> Result<(), Problem> {
    let given = request.header("content-type").unwrap_or_default();
    let kind = given
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let has_body = request.header("content-length").is_some_and(|l| l != "0")
        || request.has_header("transfer-encoding");
    let fine = match route.body {
        Body::Json(..) => kind == "application/json" || kind.is_empty() && !has_body,
        // A peer's application takes what it likes; the token says that it is no form of another site.
        _ if route.is_tail => true,
        Body::Bytes(_) | Body::Stream => kind != "multipart/form-data",
        Body::None => true,
    };
    if fine {
        return Ok(());
    }
    let detail = "The content type does not fit what this path takes.";
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}
