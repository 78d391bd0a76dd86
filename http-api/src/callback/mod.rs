//! Callbacks: a peer's request for a service becomes one plain HTTP request to the application, and the application's
//! answer is the peer's. Here is who may ask, where it goes and what is said; drivers carry out what
//! [`Callback`] says and tell the end. There is one attempt, so a request is executed at most once.

mod secret;
mod target;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use bytes::Bytes;
use p2p_core::api::{Answer, RequestId, answer_status};
use p2p_core::id::NodeId;
use p2p_core::limits::REQUEST_BODY_BYTES;
use p2p_core::rng::Rng;

pub(crate) use secret::Secret;
pub(crate) use target::Target;

/// Most callbacks under way at once: drivers keep a thread for each.
const UNDER_WAY: usize = 64;
/// Most of them for one peer, so that one cannot keep the others out.
const UNDER_WAY_PER_PEER: usize = 16;
/// Longest answer of an application that fits an answer to a peer, bytes.
const ANSWER_BYTES: usize = REQUEST_BODY_BYTES;

/// One callback; the number is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallbackId(pub u64);

/// A `POST` to an application of this machine, for a driver to carry out once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Its number.
    pub id: CallbackId,
    /// Where to connect, in turn; nothing else may be dialled.
    pub addresses: Vec<SocketAddr>,
    /// Value of `Host`.
    pub authority: String,
    /// Path with query.
    pub path: String,
    /// Header fields besides `Host` and framing, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Bytes,
    /// Longest time from connecting to the end of the answer.
    pub timeout: Duration,
    /// Longest body of an answer, bytes.
    pub answer_bytes: usize,
}

/// What became of a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackEnd {
    /// The application answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body.
        body: Bytes,
    },
    /// It answered with a longer body than allowed.
    TooLarge,
    /// It cannot be reached: nothing was executed.
    Unreachable,
    /// It broke off, was too slow, or spoke no HTTP.
    Broken,
}

impl CallbackEnd {
    /// The answer to the peer.
    pub(crate) fn answer(self) -> Answer {
        let (status, body) = match self {
            Self::Answered { status, body } => match status {
                200..=299 => (answer_status::SUCCESS, body),
                400..=599 => (status, body),
                // Redirects are not followed.
                _ => (answer_status::BROKEN, Bytes::new()),
            },
            Self::TooLarge => (answer_status::TOO_LARGE, Bytes::new()),
            Self::Unreachable => (answer_status::UNAVAILABLE, Bytes::new()),
            Self::Broken => (answer_status::BROKEN, Bytes::new()),
        };
        Answer { status, body }
    }
}

/// Who may use a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allow {
    /// Whoever this node lets in.
    pub anyone: bool,
    /// These.
    pub peers: BTreeSet<NodeId>,
}

impl Allow {
    /// Whether the owner named this peer.
    pub(crate) fn names(&self, peer: &NodeId) -> bool {
        self.peers.contains(peer)
    }

    /// Whether a peer is among them.
    pub(crate) fn admits(&self, peer: &NodeId) -> bool {
        self.anyone || self.peers.contains(peer)
    }
}

/// A service that an application answers over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Webhook {
    /// As the owner wrote it.
    pub url: String,
    pub target: Target,
    pub allow: Allow,
    pub timeout: Duration,
    pub secret: Secret,
}

/// A request to be handed to an application.
pub(crate) struct Asked<'a> {
    pub peer: NodeId,
    pub request: RequestId,
    pub service: &'a str,
    pub body: Bytes,
}

/// What is said of the moment: a mark of this run, and the time of day.
pub(crate) struct Moment {
    pub run: u32,
    pub rfc3339: String,
    pub unix_ms: u64,
}

/// Callbacks under way.
pub(crate) struct Callbacks {
    rng: Rng,
    next: u64,
    open: BTreeMap<CallbackId, (NodeId, RequestId)>,
    to_do: VecDeque<Callback>,
}

impl Callbacks {
    /// None yet; `rng` makes the secrets.
    pub(crate) const fn new(rng: Rng) -> Self {
        Self {
            rng,
            next: 0,
            open: BTreeMap::new(),
            to_do: VecDeque::new(),
        }
    }

    /// A secret for a new service.
    pub(crate) fn new_secret(&mut self) -> Secret {
        Secret::from_bytes(self.rng.array())
    }

    /// Hands a request to its application; false where too many are under way.
    pub(crate) fn begin(&mut self, hook: &Webhook, asked: Asked<'_>, moment: &Moment) -> bool {
        let of_peer = self.open.values().filter(|(p, _)| *p == asked.peer).count();
        if self.open.len() >= UNDER_WAY || of_peer >= UNDER_WAY_PER_PEER {
            return false;
        }
        let id = CallbackId(self.next);
        self.next += 1;
        self.open.insert(id, (asked.peer, asked.request));
        self.to_do.push_back(Callback {
            id,
            addresses: hook.target.addresses.clone(),
            authority: hook.target.authority.clone(),
            path: hook.target.path.clone(),
            headers: headers(hook, &asked, id, moment),
            body: asked.body,
            timeout: hook.timeout,
            answer_bytes: ANSWER_BYTES,
        });
        true
    }

    /// The next one to carry out.
    pub(crate) fn poll(&mut self) -> Option<Callback> {
        self.to_do.pop_front()
    }

    /// One has ended; whose request it was.
    pub(crate) fn end(&mut self, id: CallbackId) -> Option<(NodeId, RequestId)> {
        self.open.remove(&id)
    }
}

/// What the node says about the request. Peers choose none of it but the body.
fn headers(
    hook: &Webhook,
    asked: &Asked<'_>,
    id: CallbackId,
    moment: &Moment,
) -> Vec<(&'static str, String)> {
    let exchange = format!("{:08x}{:08x}", moment.run, id.0);
    let unix_s = moment.unix_ms / 1_000;
    vec![
        ("content-type", "application/octet-stream".to_owned()),
        ("webhook-id", exchange.clone()),
        ("idempotency-key", exchange.clone()),
        ("webhook-timestamp", unix_s.to_string()),
        (
            "webhook-signature",
            hook.secret.sign(&exchange, unix_s, &asked.body),
        ),
        ("x-p2p-exchange-id", exchange),
        ("x-p2p-type", "request".to_owned()),
        ("x-p2p-level", "1".to_owned()),
        ("x-p2p-service", asked.service.to_owned()),
        ("x-p2p-peer-id", asked.peer.to_string()),
        ("x-p2p-attempt", "1".to_owned()),
        ("x-p2p-received-at", moment.rfc3339.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_peer_takes_all_places() {
        let mut callbacks = Callbacks::new(Rng::from_seed([1; 32]));
        let hook = Webhook {
            url: String::new(),
            target: Target::parse("http://127.0.0.1:1", &[]).expect("allowed"),
            allow: Allow::default(),
            timeout: Duration::from_secs(1),
            secret: callbacks.new_secret(),
        };
        let moment = Moment {
            run: 1,
            rfc3339: String::new(),
            unix_ms: 0,
        };
        let mut begin = |peer: u8, request| {
            let peer = NodeId::from_bytes([peer; 32]);
            let asked = Asked {
                peer,
                request: RequestId(request),
                service: "x",
                body: Bytes::new(),
            };
            callbacks.begin(&hook, asked, &moment)
        };
        let taken = (0..100).filter(|n| begin(1, *n)).count();
        assert_eq!(taken, UNDER_WAY_PER_PEER);
        let others = (0..300).filter(|n| begin(2 + (n % 8) as u8, *n)).count();
        assert_eq!(taken + others, UNDER_WAY);
        let first = callbacks.poll().expect("one").id;
        assert!(callbacks.end(first).is_some());
        assert_eq!(callbacks.end(first), None, "it ends once");
    }

    #[test]
    fn statuses_of_applications_become_answers() {
        let answer = |status| {
            CallbackEnd::Answered {
                status,
                body: Bytes::from_static(b"x"),
            }
            .answer()
        };
        assert_eq!(
            (answer(204).status, answer(204).body.len()),
            (answer_status::SUCCESS, 1)
        );
        assert_eq!((answer(404).status, answer(404).body.len()), (404, 1));
        assert_eq!(
            (answer(307).status, answer(307).body.len()),
            (answer_status::BROKEN, 0)
        );
        assert_eq!(answer(999).status, answer_status::BROKEN);
        assert_eq!(
            CallbackEnd::Unreachable.answer().status,
            answer_status::UNAVAILABLE
        );
        assert_eq!(
            CallbackEnd::TooLarge.answer().status,
            answer_status::TOO_LARGE
        );
    }
}
