//! Names of services as numbers (protocol §5.1). Each side numbers the names that it sends, from 0, for as long as the
//! association lives: a rekey or a rest changes nothing. Until the peer is known to have a name, each packet with a
//! frame of the service carries it before the frame, so that no loss and no other order parts the two.
//!
//! What the peer gave a name stays: a second name for the same number breaks the rule. Both directions are bounded by
//! [`limits::SERVICE_NAMES`].

use smallvec::SmallVec;

use super::{Violation, varint_len};
use crate::api::{ApiMisuse, Channel, Label, LimitReached, ServiceName};
use crate::limits;
use crate::tag::{Tag, Topic};

/// A name of ours.
#[derive(Debug)]
struct Ours {
    name: ServiceName,
    /// A packet with the name was acknowledged.
    is_known: bool,
    /// A packet with the name was sent, and nothing was heard of it yet.
    is_under_way: bool,
}

/// The names of both sides.
#[derive(Debug, Default)]
pub(crate) struct Names {
    ours: Vec<Ours>,
    theirs: Vec<Option<ServiceName>>,
    /// Names that the packet being built carries already.
    in_packet: SmallVec<[u32; 4]>,
}

impl Names {
    /// What stands for a label in frames of ours.
    ///
    /// # Errors
    /// `Limit` for a new name where [`limits::SERVICE_NAMES`] others are in use.
    pub(crate) fn tag(&mut self, label: &Label) -> Result<Tag, ApiMisuse> {
        let topic = match &label.channel {
            Channel::Number(number) => Topic::Channel(*number),
            Channel::Service(name) => Topic::Service(self.number(name)?),
        };
        let flags = label.flags;
        Ok(Tag { topic, flags })
    }

    fn number(&mut self, name: &ServiceName) -> Result<u32, ApiMisuse> {
        if let Some(at) = self.ours.iter().position(|ours| ours.name == *name) {
            return Ok(at as u32);
        }
        if self.ours.len() >= limits::SERVICE_NAMES {
            return Err(ApiMisuse::Limit(LimitReached {
                limit: "SERVICE_NAMES",
                value: limits::SERVICE_NAMES as u64,
            }));
        }
        self.ours.push(Ours {
            name: name.clone(),
            is_known: false,
            is_under_way: false,
        });
        Ok(self.ours.len() as u32 - 1)
    }

    /// A new packet is built.
    pub(crate) fn begin_packet(&mut self) {
        self.in_packet.clear();
    }

    /// The number and name that have to go before a frame for `topic` in this packet.
    pub(crate) fn needed(&self, topic: Topic) -> Option<(u32, &ServiceName)> {
        let Topic::Service(number) = topic else {
            return None;
        };
        let ours = self.ours.get(number as usize)?;
        let is_there = ours.is_known || self.in_packet.contains(&number);
        (!is_there).then_some((number, &ours.name))
    }

    /// Bytes of what has to go before a frame for `topic` in this packet.
    pub(crate) fn cost_bytes(&self, topic: Topic) -> usize {
        self.needed(topic).map_or(0, |(number, name)| {
            let len = name.as_str().len();
            1 + varint_len(u64::from(number)) + varint_len(len as u64) + len
        })
    }

    /// Whether the name may go ahead alone, for a frame that does not fit a packet together with it: it has not left
    /// yet, or was lost.
    pub(crate) fn may_go_ahead(&self, topic: Topic) -> bool {
        let needed = self.needed(topic).map(|(number, _)| number as usize);
        let ours = needed.and_then(|at| self.ours.get(at));
        ours.is_some_and(|ours| !ours.is_under_way)
    }

    /// The packet carries the name of this number.
    pub(crate) fn on_sent(&mut self, number: u32) {
        self.in_packet.push(number);
        if let Some(ours) = self.ours.get_mut(number as usize) {
            ours.is_under_way = true;
        }
    }

    /// A packet with the name of this number was acknowledged: the peer has it.
    pub(crate) fn on_delivered(&mut self, number: u32) {
        if let Some(ours) = self.ours.get_mut(number as usize) {
            ours.is_known = true;
        }
    }

    /// A packet with the name of this number is lost.
    pub(crate) fn on_lost(&mut self, number: u32) {
        if let Some(ours) = self.ours.get_mut(number as usize) {
            ours.is_under_way = false;
        }
    }

    /// The peer gave a name a number.
    ///
    /// # Errors
    /// Too large a number, a name that none may have, or another name than before.
    pub(crate) fn on_name(&mut self, number: u32, name: &str) -> Result<(), Violation> {
        let at = number as usize;
        if at >= limits::SERVICE_NAMES {
            return Err(Violation::ServiceName);
        }
        if self.theirs.len() <= at {
            self.theirs.resize(at + 1, None);
        }
        let known = self.theirs.get_mut(at).ok_or(Violation::ServiceName)?;
        match known {
            Some(known) if known.as_str() == name => {}
            Some(_) => return Err(Violation::ServiceName),
            None => *known = Some(ServiceName::new(name).map_err(|_| Violation::ServiceName)?),
        }
        Ok(())
    }

    /// What a tag of the peer's stands for.
    ///
    /// # Errors
    /// The peer never named the number.
    pub(crate) fn label(&self, tag: Tag) -> Result<Label, Violation> {
        let channel = match tag.topic {
            Topic::Channel(number) => Channel::Number(number),
            Topic::Service(number) => {
                let named = self.theirs.get(number as usize).cloned().flatten();
                Channel::Service(named.ok_or(Violation::ServiceName)?)
            }
        };
        let flags = tag.flags;
        Ok(Label { channel, flags })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> Label {
        ServiceName::new(name).unwrap().into()
    }

    fn tag(names: &mut Names, name: &str) -> Tag {
        names.tag(&service(name)).unwrap()
    }

    /// Protocol §5.1.
    #[test]
    fn a_name_is_carried_until_a_packet_with_it_is_acknowledged() {
        let mut names = Names::default();
        let topic = tag(&mut names, "web").topic;
        assert_eq!(tag(&mut names, "chat").topic, Topic::Service(1));
        assert_eq!(tag(&mut names, "web").topic, topic, "interned");
        for _ in 0..3 {
            names.begin_packet();
            let (number, name) = names.needed(topic).unwrap();
            assert_eq!((number, name.as_str()), (0, "web"));
            assert_eq!(names.cost_bytes(topic), 1 + 1 + 1 + 3);
            names.on_sent(number);
            assert_eq!(names.needed(topic), None, "once in a packet");
        }
        names.begin_packet();
        names.on_lost(0);
        assert!(names.needed(topic).is_some());
        names.on_delivered(0);
        names.on_lost(0);
        assert_eq!((names.needed(topic), names.cost_bytes(topic)), (None, 0));
        assert!(names.needed(Topic::Service(1)).is_some(), "each for itself");
        assert_eq!(names.needed(Topic::Channel(1)), None);
    }

    #[test]
    fn a_name_goes_ahead_alone_once_and_again_when_lost() {
        let mut names = Names::default();
        let topic = tag(&mut names, "web").topic;
        assert!(names.may_go_ahead(topic));
        names.on_sent(0);
        names.begin_packet();
        assert!(!names.may_go_ahead(topic), "one is under way");
        names.on_lost(0);
        assert!(names.may_go_ahead(topic));
        names.on_delivered(0);
        assert!(!names.may_go_ahead(topic), "nothing is needed");
    }

    /// Protocol §5.1.
    #[test]
    fn a_peer_keeps_to_its_names() {
        let mut names = Names::default();
        let limit = limits::SERVICE_NAMES as u32;
        assert_eq!(names.on_name(limit - 1, "web"), Ok(()));
        assert_eq!(names.on_name(limit - 1, "web"), Ok(()), "again is well");
        let broken = Err(Violation::ServiceName);
        assert_eq!(names.on_name(limit - 1, "chat"), broken);
        assert_eq!(names.on_name(limit, "web"), broken);
        assert_eq!(names.on_name(0, "a\nb"), broken);
        let tag = |number| Tag {
            topic: Topic::Service(number),
            flags: 5,
        };
        assert_eq!(names.label(tag(0)), Err(Violation::ServiceName));
        assert_eq!(names.label(tag(u32::MAX)), Err(Violation::ServiceName));
        let label = names.label(tag(limit - 1)).unwrap();
        assert_eq!((label.channel, label.flags), (service("web").channel, 5));
    }

    #[test]
    fn names_are_bounded() {
        let mut names = Names::default();
        for n in 0..limits::SERVICE_NAMES {
            tag(&mut names, &n.to_string());
        }
        assert!(names.tag(&service("one more")).is_err());
        assert_eq!(tag(&mut names, "7").topic, Topic::Service(7));
        assert!(names.tag(&Label::from(9)).is_ok());
    }
}
