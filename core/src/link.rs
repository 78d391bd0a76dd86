//! The links of a node: its sockets, as the driver names them. Which one a datagram leaves by, and which are down.
//!
//! Takes: what the driver opened, and news of what went down or came up. Answers: the link for a destination.

use core::net::SocketAddr;

use crate::limits;

/// Number of a link, given by the driver; unique while the link exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LinkId(pub u8);

/// Address families that a socket sends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum AddressFamilies {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// Both, as a socket of a simulated host does.
    Both,
}

impl AddressFamilies {
    /// The family of an address; IPv4-mapped IPv6 addresses count as IPv4.
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        if address.ip().to_canonical().is_ipv4() {
            Self::Ipv4
        } else {
            Self::Ipv6
        }
    }

    fn have(self, address: SocketAddr) -> bool {
        self == Self::Both || self == Self::of(address)
    }
}

/// One UDP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Link {
    /// Its number.
    pub id: LinkId,
    /// Where it sends to.
    pub families: AddressFamilies,
}

/// All links, in the driver's order; the first that serves a destination is preferred.
pub(crate) struct Links {
    all: Vec<(Link, bool)>,
}

impl Links {
    /// Starts with links that are up, as many as there may be.
    pub(crate) fn new(links: &[Link]) -> Self {
        let mut started = Self { all: Vec::new() };
        for link in links {
            started.on_up(*link);
        }
        started
    }

    /// A link is up: a new one, or one that was down. Says whether that is news; `None` where there are too many.
    pub(crate) fn on_up(&mut self, link: Link) -> Option<bool> {
        let known = self.all.iter_mut().find(|(known, _)| known.id == link.id);
        if let Some(known) = known {
            let news = *known != (link, true);
            *known = (link, true);
            return Some(news);
        }
        if self.all.len() >= limits::LINKS {
            return None;
        }
        self.all.push((link, true));
        Some(true)
    }

    /// A link is down. Says whether that is news; `None` where there is no such link.
    pub(crate) fn on_down(&mut self, id: LinkId) -> Option<bool> {
        let (_, is_up) = self.all.iter_mut().find(|(link, _)| link.id == id)?;
        Some(core::mem::replace(is_up, false))
    }

    /// The number, where that link is up: an answer to what came late by another must not wait for it.
    pub(crate) fn usable(&self, id: LinkId) -> Option<LinkId> {
        let mut up = self.all.iter().filter(|(_, is_up)| *is_up);
        up.find(|(link, _)| link.id == id).map(|(link, _)| link.id)
    }

    /// The link for a datagram: the one that its route belongs to, otherwise the first that sends there. `None` where
    /// that is down.
    pub(crate) fn choose(&self, route: Option<LinkId>, to: SocketAddr) -> Option<LinkId> {
        let may = |(link, is_up): &&(Link, bool)| {
            *is_up && link.families.have(to) && route.is_none_or(|id| id == link.id)
        };
        self.all.iter().find(may).map(|(link, _)| link.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: Link = Link {
        id: LinkId(4),
        families: AddressFamilies::Ipv4,
    };
    const SIX: Link = Link {
        id: LinkId(6),
        families: AddressFamilies::Ipv6,
    };

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_destination_goes_by_a_link_of_its_family() {
        let links = Links::new(&[FOUR, SIX]);
        assert_eq!(links.choose(None, at("192.0.2.1:1")), Some(FOUR.id));
        assert_eq!(links.choose(None, at("[2001:db8::1]:1")), Some(SIX.id));
        let mapped = at("[::ffff:192.0.2.1]:1");
        assert_eq!(links.choose(None, mapped), Some(FOUR.id));
        assert_eq!(
            Links::new(&[FOUR]).choose(None, at("[2001:db8::1]:1")),
            None
        );
    }

    #[test]
    fn a_route_keeps_to_its_link_and_others_take_the_next() {
        let other = Link {
            id: LinkId(9),
            ..FOUR
        };
        let mut links = Links::new(&[FOUR, other]);
        let to = at("192.0.2.1:1");
        assert_eq!(links.choose(Some(other.id), to), Some(other.id));
        assert_eq!(links.on_down(FOUR.id), Some(true));
        assert_eq!(links.on_down(FOUR.id), Some(false), "said before");
        assert_eq!(links.choose(Some(FOUR.id), to), None);
        assert_eq!(links.choose(None, to), Some(other.id));
        assert_eq!(links.on_up(FOUR), Some(true));
        assert_eq!(links.on_up(FOUR), Some(false), "said before");
        assert_eq!(links.choose(None, to), Some(FOUR.id));
    }

    #[test]
    fn links_that_nobody_opened_or_that_are_down_are_of_no_use() {
        let mut links = Links::new(&[FOUR, FOUR]);
        assert_eq!(links.all.len(), 1);
        assert_eq!(links.on_down(SIX.id), None);
        assert_eq!(links.usable(SIX.id), None);
        assert_eq!(links.usable(FOUR.id), Some(FOUR.id));
        links.on_down(FOUR.id);
        assert_eq!(links.usable(FOUR.id), None);
        assert_eq!(links.on_up(SIX), Some(true));
        for id in 10..200 {
            links.on_up(Link {
                id: LinkId(id),
                ..FOUR
            });
        }
        assert_eq!(links.all.len(), limits::LINKS);
    }
}
