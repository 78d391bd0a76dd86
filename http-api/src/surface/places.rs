//! Room at services: how many streams of peers may lead to programs of this machine at once, so that no peer, no
//! service and no crowd of strangers takes the room of the others.

use std::collections::BTreeMap;

use p2p_core::id::NodeId;

/// Most streams at once.
const PLACES: usize = 512;
/// Most of a stranger.
const PLACES_PER_STRANGER: usize = 8;
/// Most of all strangers; of one service they get half, too, so that its room is not theirs alone.
const PLACES_OF_STRANGERS: usize = PLACES / 2;

/// A stream, by its peer and number.
pub(super) type StreamKey = (NodeId, u64);

/// How many of one kind of service there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
    /// Of one service.
    pub of_service: usize,
    /// Of one peer that the owner chose.
    pub of_peer: usize,
}

/// Whose a stream is.
struct Place {
    service: String,
    is_strangers: bool,
}

/// All places that are taken.
#[derive(Default)]
pub(super) struct Places(BTreeMap<StreamKey, Place>);

impl Places {
    /// Takes a place for a stream; whether there was one. [`Places::leave`] gives it back.
    pub(super) fn take(
        &mut self,
        key: StreamKey,
        service: &str,
        is_strangers: bool,
        most: Most,
    ) -> bool {
        let has_room = self.has_room(key.0, is_strangers, service, most);
        if has_room {
            let service = service.to_owned();
            let place = Place {
                service,
                is_strangers,
            };
            self.0.insert(key, place);
        }
        has_room
    }

    /// A stream is over.
    pub(super) fn leave(&mut self, key: &StreamKey) {
        self.0.remove(key);
    }

    fn has_room(&self, peer: NodeId, is_stranger: bool, service: &str, most: Most) -> bool {
        let of_peer = if is_stranger {
            PLACES_PER_STRANGER
        } else {
            most.of_peer
        };
        let of_service = self.0.values().filter(|place| place.service == service);
        self.0.len() < PLACES
            && self.0.range((peer, 0)..=(peer, u64::MAX)).count() < of_peer
            && of_service.count() < most.of_service
            && (!is_stranger || self.has_room_for_strangers(service, most))
    }

    fn has_room_for_strangers(&self, service: &str, most: Most) -> bool {
        let strangers = || self.0.values().filter(|place| place.is_strangers);
        let of_service = strangers().filter(|place| place.service == service);
        strangers().count() < PLACES_OF_STRANGERS && of_service.count() < most.of_service / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Most = Most {
        of_service: 128,
        of_peer: 64,
    };

    /// Identities cost nothing: however many come, those whom the owner chose find room.
    #[test]
    fn sec_35_a_crowd_of_strangers_leaves_room_at_a_service() {
        let mut places = Places::default();
        let id = |n: u64| NodeId::from_bytes([n as u8; 32]);
        let mut number = 0;
        let mut fill = |service: &str| {
            let mut taken = 0;
            for n in 0..100 {
                number += 1;
                while places.take((id(1 + n), number), service, true, MOST) {
                    (number, taken) = (number + 1, taken + 1);
                }
            }
            taken
        };
        assert_eq!(fill("web"), 64);
        assert_eq!(["a", "b", "c", "d"].map(&mut fill), [64, 64, 64, 0]);
        assert!(places.take((id(200), 1), "web", false, MOST));
        assert!(places.take((id(200), 2), "d", false, MOST));
    }

    #[test]
    fn a_peer_gets_its_share_and_places_come_back() {
        let mut places = Places::default();
        let peer = NodeId::from_bytes([9; 32]);
        let taken = (0..300).filter(|n| places.take((peer, *n), "web", false, MOST));
        assert_eq!(taken.count(), MOST.of_peer);
        places.leave(&(peer, 0));
        assert!(places.take((peer, 500), "web", false, MOST));
        assert!(!places.take((peer, 501), "web", false, MOST));
    }
}
