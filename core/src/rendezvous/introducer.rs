//! One introducer of this node: where it is, how the link to it stands, and what was said of it.

use core::net::{IpAddr, SocketAddr};

use super::Move;
use crate::api::{Event, IntroducerAddress, IntroducerState};
use crate::directory::client::IntroducerLink;
use crate::rng::Rng;
use crate::time::Instant;

/// An introducer and the state of the link to it.
pub(crate) struct Introducer {
    pub(crate) address: IntroducerAddress,
    pub(crate) link: IntroducerLink,
    /// The state that the application heard of last.
    announced: Option<IntroducerState>,
}

impl Introducer {
    /// Starts to look for it at once.
    pub(super) fn new(address: IntroducerAddress, rng: Rng) -> Self {
        Self {
            address,
            link: IntroducerLink::new(rng),
            announced: None,
        }
    }

    /// Looks the host up: an address is its own answer.
    pub(super) fn resolve(&mut self, now: Instant) -> Option<Move> {
        let IntroducerAddress { id, host, port } = &self.address;
        if let Ok(ip) = host.parse::<IpAddr>() {
            self.link.on_resolved(now, &[SocketAddr::new(ip, *port)]);
            return None;
        }
        Some(Move::Resolve {
            introducer: *id,
            host: host.clone(),
            port: *port,
        })
    }

    /// The state, where the application has not heard of it.
    pub(super) fn poll_news(&mut self) -> Option<Event> {
        let (id, state) = (self.address.id, self.link.state());
        let is_news = self.announced.replace(state) != Some(state);
        is_news.then_some(Event::Introducer { id, state })
    }
}
