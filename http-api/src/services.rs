//! Requests of peers: which services exist here, and which requests wait for the application's answer.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use p2p_core::api::RequestId;
use p2p_core::id::NodeId;
use p2p_core::limits::{REQUEST_DEADLINE_MAX, SERVICE_NAME_BYTES};
use p2p_core::time::Instant;

use crate::callback::{Allow, Target, Webhook};
use crate::transfers::{CONTENT, NOTICES};

/// Most services registered at once.
pub(crate) const SERVICES: usize = 256;
/// Most requests waiting for the application at once.
pub(crate) const OPEN_REQUESTS: usize = 1_024;
/// Services that the surface answers itself.
pub(crate) const BUILT_IN: &[&str] = &[
    "echo",
    "node.hello",
    crate::invite::SERVICE,
    NOTICES,
    CONTENT,
];
/// How long a request may wait for the application: no sender waits longer.
const OPEN_LIFE: Duration = REQUEST_DEADLINE_MAX;

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Give the body back.
    Echo,
    /// Say who we are.
    Hello,
    /// Take an invitation up.
    Invite,
    /// It is about a transfer of files.
    Transfers,
    /// Put it into the inbox.
    Inbox,
    /// Ask the application over HTTP.
    Webhook,
    /// There is no such service, or not for this peer.
    Nowhere,
}

/// Where requests for a registered service go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Into the inbox.
    Inbox,
    /// To an application, over HTTP.
    Webhook(Box<Webhook>),
    /// None: peers reach the application itself, by HTTP over streams.
    Http(Box<HttpService>),
    /// None: peers reach the application itself, byte by byte.
    Tcp(Box<TcpService>),
}

impl Offer {
    /// Whether a peer may use it.
    fn admits(&self, peer: &NodeId) -> bool {
        match self {
            Self::Inbox => true,
            Self::Webhook(hook) => hook.allow.admits(peer),
            Self::Http(http) => http.allow.admits(peer),
            Self::Tcp(tcp) => tcp.allow.admits(peer),
        }
    }
}

/// An application that peers reach by HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpService {
    /// As the owner wrote it.
    pub url: String,
    pub target: Target,
    pub allow: Allow,
    /// Longest time for the head of an answer.
    pub head_time: Duration,
}

/// An application that peers reach byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TcpService {
    /// As the owner wrote it.
    pub text: String,
    /// Tried in turn.
    pub addresses: Vec<SocketAddr>,
    pub allow: Allow,
}

/// Where a peer's stream for a service goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route<'a, T> {
    /// To an application.
    To(&'a T),
    /// The service is for this peer and of another kind.
    OtherKind,
    /// There is none, or not for this peer.
    Nowhere,
}

/// Services and open requests.
#[derive(Debug, Default)]
pub(crate) struct Services {
    registered: BTreeMap<String, Offer>,
    open: BTreeMap<u64, (NodeId, RequestId, Instant)>,
}

impl Services {
    /// What to do with a request of `peer` for `service`.
    pub(crate) fn delivery(&self, service: &str, peer: &NodeId) -> Delivery {
        match service {
            "echo" => Delivery::Echo,
            "node.hello" => Delivery::Hello,
            crate::invite::SERVICE => Delivery::Invite,
            NOTICES => Delivery::Transfers,
            other => match self.registered.get(other) {
                Some(Offer::Inbox) => Delivery::Inbox,
                Some(Offer::Webhook(hook)) if hook.allow.admits(peer) => Delivery::Webhook,
                // A peer cannot tell a service that is not for it from none.
                Some(Offer::Webhook(_) | Offer::Http(_) | Offer::Tcp(_)) | None => {
                    Delivery::Nowhere
                }
            },
        }
    }

    /// Where an HTTP request of `peer` for `service` goes.
    pub(crate) fn http(&self, service: &str, peer: &NodeId) -> Route<'_, HttpService> {
        match self.registered.get(service).filter(|o| o.admits(peer)) {
            Some(Offer::Http(http)) => Route::To(http),
            Some(_) => Route::OtherKind,
            None => Route::Nowhere,
        }
    }

    /// Where a connection of `peer` to `service` goes.
    pub(crate) fn tcp(&self, service: &str, peer: &NodeId) -> Route<'_, TcpService> {
        match self.registered.get(service).filter(|o| o.admits(peer)) {
            Some(Offer::Tcp(tcp)) => Route::To(tcp),
            Some(_) => Route::OtherKind,
            None => Route::Nowhere,
        }
    }

    /// Whether a text may name a service.
    pub(crate) fn valid_name(name: &str) -> bool {
        !name.is_empty()
            && name.len() <= SERVICE_NAME_BYTES
            && !name.chars().any(|c| c.is_control() || c == '/')
    }

    /// Registers a service; whether there was room.
    pub(crate) fn register(&mut self, name: &str, offer: Offer) -> bool {
        if self.registered.len() >= SERVICES && !self.registered.contains_key(name) {
            return false;
        }
        self.registered.insert(name.to_owned(), offer);
        true
    }

    /// Takes a service back; whether it was there.
    pub(crate) fn unregister(&mut self, name: &str) -> bool {
        self.registered.remove(name).is_some()
    }

    /// Registered services in order.
    pub(crate) fn registered(&self) -> impl Iterator<Item = (&str, &Offer)> {
        self.registered.iter().map(|(n, o)| (n.as_str(), o))
    }

    /// The application behind a service.
    pub(crate) fn webhook(&self, name: &str) -> Option<&Webhook> {
        match self.registered.get(name)? {
            Offer::Webhook(hook) => Some(hook),
            Offer::Inbox | Offer::Http(_) | Offer::Tcp(_) => None,
        }
    }

    /// Whether one more request may wait for the application.
    pub(crate) fn has_room(&mut self, now: Instant) -> bool {
        self.open.retain(|_, (_, _, ends)| *ends > now);
        self.open.len() < OPEN_REQUESTS
    }

    /// A request waits under the number of its inbox item.
    pub(crate) fn on_request(
        &mut self,
        now: Instant,
        number: u64,
        peer: NodeId,
        request: RequestId,
    ) {
        self.open.insert(number, (peer, request, now + OPEN_LIFE));
    }

    /// Takes a waiting request out to answer it.
    pub(crate) fn take(&mut self, now: Instant, number: u64) -> Option<(NodeId, RequestId)> {
        let (peer, request, ends) = self.open.remove(&number)?;
        (ends > now).then_some((peer, request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unregistered_services_go_nowhere() {
        let mut services = Services::default();
        let peer = NodeId::from_bytes([1; 32]);
        assert_eq!(services.delivery("chat", &peer), Delivery::Nowhere);
        assert!(services.register("chat", Offer::Inbox));
        assert_eq!(services.delivery("chat", &peer), Delivery::Inbox);
        assert!(services.unregister("chat"));
        assert!(!services.unregister("chat"));
        assert_eq!(services.delivery("echo", &peer), Delivery::Echo);
        assert!(!Services::valid_name("a\n"));
        assert!(!Services::valid_name(&"x".repeat(49)));
    }

    #[test]
    fn a_request_is_answered_once_and_in_time() {
        let mut services = Services::default();
        let peer = NodeId::from_bytes([1; 32]);
        services.on_request(Instant::EPOCH, 5, peer, RequestId(9));
        services.on_request(Instant::EPOCH, 6, peer, RequestId(10));
        let soon = Instant::from_millis(1);
        assert_eq!(services.take(soon, 5), Some((peer, RequestId(9))));
        assert_eq!(services.take(soon, 5), None);
        assert_eq!(services.take(Instant::EPOCH + OPEN_LIFE, 6), None);
    }
}
