//! Level "latest" (protocol §8.7): of each key the newest value counts. A value that is superseded before it left is
//! never sent, and one that is superseded under way is not sent again; the newest is, until it is acknowledged. The
//! receiver passes on a value only where it is newer than all of its key before.
//!
//! Versions count up over all keys of one sender in one association, so that a receiver needs one number per key.
//!
//! Both sides remember the keys with the newest values, [`limits::LATEST_KEYS`] of them. A sender gives the place of
//! the key with the oldest value to a new one, once that value has arrived. So a value that is still under way is among
//! the newest of its sender, and newer than whatever a full receiver forgets for another key; what is not newer than
//! something forgotten can only be a late copy.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::api::{ApiMisuse, LimitReached};
use crate::limits;

/// What a packet carried of this level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LatestSent {
    /// Which key, by its place with the sender.
    place: u32,
    /// Which of its values.
    pub(crate) version: u64,
}

/// The newest value of one key.
#[derive(Debug)]
pub(crate) struct Value {
    /// The key.
    pub(crate) key: Box<str>,
    /// The value; given back once it has arrived.
    pub(crate) data: Bytes,
    version: u64,
    has_arrived: bool,
    /// Waits to be sent.
    queued: bool,
}

/// The values of one peer, both directions.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    values: Vec<Value>,
    places: BTreeMap<Box<str>, u32>,
    due: VecDeque<u32>,
    next_version: u64,
    /// Newest version that came of each key of the peer.
    received: BTreeMap<Box<str>, u64>,
    /// Newest version among the keys that were forgotten.
    forgotten: Option<u64>,
}

impl Latest {
    /// Replaces the value of a key; it leaves with the next packet that has room.
    ///
    /// # Errors
    /// `InvalidArgument` for a key that is empty or longer than [`limits::LATEST_KEY_BYTES`], `TooLarge` above
    /// [`limits::LATEST_VALUE_BYTES`], `Limit` where [`limits::LATEST_KEYS`] other keys are in use and the oldest
    /// value among them has not arrived.
    pub(crate) fn set(&mut self, key: &str, data: Bytes) -> Result<(), ApiMisuse> {
        if key.is_empty() || key.len() > limits::LATEST_KEY_BYTES {
            return Err(ApiMisuse::InvalidArgument {
                what: "the key",
                must: "must have 1 to 48 bytes",
            });
        }
        let limit_bytes = limits::LATEST_VALUE_BYTES;
        if data.len() > limit_bytes {
            return Err(ApiMisuse::TooLarge { limit_bytes });
        }
        let place = self.place(key)?;
        let version = self.next_version;
        if let Some(value) = self.value_mut(place) {
            value.data = data;
            value.version = version;
            value.has_arrived = false;
            self.next_version += 1;
            self.queue(place, false);
        }
        Ok(())
    }

    fn place(&mut self, key: &str) -> Result<u32, ApiMisuse> {
        if let Some(place) = self.places.get(key) {
            return Ok(*place);
        }
        let value = Value {
            key: key.into(),
            data: Bytes::new(),
            version: 0,
            has_arrived: true,
            queued: false,
        };
        let place = if self.values.len() < limits::LATEST_KEYS {
            self.values.push(value);
            self.values.len() as u32 - 1
        } else {
            self.give_back(value)?
        };
        self.places.insert(key.into(), place);
        Ok(place)
    }

    /// Puts a new key in the place of the one with the oldest value, once that has arrived.
    fn give_back(&mut self, new: Value) -> Result<u32, ApiMisuse> {
        let values = self.values.iter_mut().enumerate();
        let oldest = values.min_by_key(|(_, value)| value.version);
        let free = oldest.filter(|(_, value)| value.has_arrived && !value.queued);
        let Some((place, value)) = free else {
            return Err(ApiMisuse::Limit(LimitReached {
                limit: "LATEST_KEYS",
                value: limits::LATEST_KEYS as u64,
            }));
        };
        let old = core::mem::replace(value, new);
        self.places.remove(&old.key);
        Ok(place as u32)
    }

    fn value_mut(&mut self, place: u32) -> Option<&mut Value> {
        self.values.get_mut(place as usize)
    }

    fn queue(&mut self, place: u32, is_urgent: bool) {
        let Some(value) = self.value_mut(place).filter(|value| !value.queued) else {
            return;
        };
        value.queued = true;
        if is_urgent {
            self.due.push_front(place);
        } else {
            self.due.push_back(place);
        }
    }

    /// The next value to encode.
    pub(crate) fn peek(&mut self) -> Option<(LatestSent, &Value)> {
        // What arrived after it was given up for lost need not leave again.
        while let Some(place) = self.due.front().copied()
            && let Some(value) = self.value_mut(place).filter(|value| value.has_arrived)
        {
            value.queued = false;
            self.due.pop_front();
        }
        let place = *self.due.front()?;
        let value = self.values.get(place as usize)?;
        let version = value.version;
        Some((LatestSent { place, version }, value))
    }

    /// The value of [`Self::peek`] was written.
    pub(crate) fn on_sent(&mut self, sent: LatestSent) {
        if self.due.front() == Some(&sent.place) {
            self.due.pop_front();
        }
        if let Some(value) = self.value_mut(sent.place) {
            value.queued = false;
        }
    }

    /// Whether [`Self::peek`] has something; after an acknowledgement of what was declared lost it may be nothing.
    pub(crate) fn has_data_to_send(&self) -> bool {
        !self.due.is_empty()
    }

    /// A packet with this value was acknowledged.
    pub(crate) fn on_delivered(&mut self, sent: LatestSent) {
        if let Some(value) = self.newest(sent) {
            value.has_arrived = true;
            value.data = Bytes::new();
        }
    }

    /// The packet with this value is lost; it leaves again unless a newer one has taken its place.
    pub(crate) fn on_lost(&mut self, sent: LatestSent) {
        if self.newest(sent).is_some_and(|value| !value.has_arrived) {
            self.queue(sent.place, true);
        }
    }

    /// The value, while nothing newer has taken its place.
    fn newest(&mut self, sent: LatestSent) -> Option<&mut Value> {
        self.value_mut(sent.place)
            .filter(|value| value.version == sent.version)
    }

    /// A value came in; whether it is newer than all of its key before and so goes to the application.
    pub(crate) fn on_value(&mut self, key: &str, version: u64) -> bool {
        if let Some(newest) = self.received.get_mut(key) {
            let is_newer = version > *newest;
            *newest = version.max(*newest);
            return is_newer;
        }
        if self.forgotten.is_some_and(|newest| version <= newest) {
            return false;
        }
        self.received.insert(key.into(), version);
        if self.received.len() > limits::LATEST_KEYS {
            self.forget_oldest();
        }
        true
    }

    fn forget_oldest(&mut self) {
        let oldest = self.received.iter().min_by_key(|(_, version)| **version);
        if let Some((key, version)) = oldest.map(|(key, version)| (key.clone(), *version)) {
            self.received.remove(&key);
            self.forgotten = self.forgotten.max(Some(version));
        }
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;
    use crate::level::test_pipe::{Arrival, Pipe};
    use crate::time::Duration;

    type Frame = (LatestSent, Box<str>, Bytes);

    fn flush(latest: &mut Latest, pipe: &mut Pipe<Frame>) {
        while let Some((note, value)) = latest.peek() {
            let frame = (note, value.key.clone(), value.data.clone());
            latest.on_sent(note);
            pipe.send(0, vec![frame]);
        }
    }

    /// Sets three keys again and again over a bad line, then lets it heal. Gives what arrived of each key, in order.
    fn run(seed: u64) -> [Vec<u32>; 3] {
        let mut pipe = Pipe::new(seed);
        pipe.loss_percent = 10 + seed % 70;
        let (mut from, mut to) = (Latest::default(), Latest::default());
        let mut got = [const { Vec::new() }; 3];
        for tick in 0..400_u32 {
            if tick < 100 {
                let key = ["a", "b", "c"][pipe.rng.below(3) as usize];
                from.set(key, Bytes::copy_from_slice(&tick.to_be_bytes()))
                    .unwrap();
            } else if tick == 100 {
                for key in ["a", "b", "c"] {
                    from.set(key, Bytes::copy_from_slice(&tick.to_be_bytes()))
                        .unwrap();
                }
            }
            pipe.loss_percent = if tick == 200 { 0 } else { pipe.loss_percent };
            flush(&mut from, &mut pipe);
            let until = pipe.now + Duration::from_millis(20);
            while let Some(arrival) = pipe.next_arrival(until) {
                match arrival {
                    Arrival::Packet { number, frames, .. } => {
                        pipe.settle(number, true);
                        for (note, key, data) in frames {
                            if to.on_value(&key, note.version) {
                                let n = u32::from_be_bytes(data[..].try_into().unwrap());
                                got[(key.as_bytes()[0] - b'a') as usize].push(n);
                            }
                        }
                    }
                    Arrival::Acked { frames, .. } => {
                        for (note, ..) in frames {
                            from.on_delivered(note);
                        }
                    }
                    Arrival::Lost { frames, .. } => {
                        for (note, ..) in frames {
                            from.on_lost(note);
                        }
                    }
                }
            }
        }
        assert!(from.values.iter().all(|v| v.has_arrived), "all settled");
        assert!(from.peek().is_none() && from.values.iter().all(|v| v.data.is_empty()));
        got
    }

    quickcheck! {
        fn never_an_older_value_after_a_newer_and_the_last_one_arrives(seed: u64) -> bool {
            run(seed).iter().all(|got| {
                got.windows(2).all(|pair| pair[0] < pair[1]) && got.last() == Some(&100)
            })
        }
    }

    fn set(latest: &mut Latest, key: &str, value: &'static [u8]) {
        latest.set(key, Bytes::from_static(value)).unwrap();
    }

    fn send(latest: &mut Latest) -> Option<(LatestSent, Bytes)> {
        let (sent, data) = latest.peek().map(|(sent, v)| (sent, v.data.clone()))?;
        latest.on_sent(sent);
        Some((sent, data))
    }

    #[test]
    fn what_is_superseded_is_not_sent_again_and_the_newest_is() {
        let mut latest = Latest::default();
        set(&mut latest, "x", b"1");
        set(&mut latest, "x", b"2");
        let (second, data) = send(&mut latest).unwrap();
        assert_eq!(&data[..], b"2", "the first never left");
        assert!(send(&mut latest).is_none());
        set(&mut latest, "x", b"3");
        let (third, _) = send(&mut latest).unwrap();
        latest.on_lost(second);
        assert!(send(&mut latest).is_none(), "superseded");
        latest.on_delivered(second);
        latest.on_lost(third);
        let (again, data) = send(&mut latest).unwrap();
        assert_eq!((again, &data[..]), (third, &b"3"[..]));
        latest.on_lost(again);
        latest.on_delivered(third);
        assert!(send(&mut latest).is_none(), "it has arrived");
    }

    /// Protocol §8.7.
    #[test]
    fn an_older_value_or_a_copy_is_not_passed_on() {
        let mut latest = Latest::default();
        assert!(latest.on_value("x", 5));
        assert!(!latest.on_value("x", 5));
        assert!(!latest.on_value("x", 4));
        assert!(latest.on_value("y", 4));
        assert!(latest.on_value("x", 6));
    }

    #[test]
    fn keys_are_bounded_on_both_sides_and_given_back() {
        let mut latest = Latest::default();
        for n in 0..limits::LATEST_KEYS {
            latest.set(&n.to_string(), Bytes::new()).unwrap();
        }
        assert!(latest.set("more", Bytes::new()).is_err(), "none arrived");
        let sent: Vec<_> = std::iter::from_fn(|| send(&mut latest)).collect();
        latest.on_delivered(sent[1].0);
        assert!(latest.set("more", Bytes::new()).is_err(), "not the oldest");
        latest.on_delivered(sent[0].0);
        set(&mut latest, "more", b"1");
        assert_eq!(latest.values.len(), limits::LATEST_KEYS);
        assert_eq!(latest.places.len(), limits::LATEST_KEYS);
        // What is heard of the key before concerns nobody.
        latest.on_lost(sent[0].0);
        latest.on_delivered(sent[0].0);
        assert_eq!(&send(&mut latest).unwrap().1[..], b"1");
        let large = Bytes::from(vec![0; limits::LATEST_VALUE_BYTES + 1]);
        assert!(latest.set("1", large).is_err() && latest.set("", Bytes::new()).is_err());
    }

    /// Protocol §8.7: a receiver that forgets takes no late copy for news.
    #[test]
    fn a_receiver_forgets_the_oldest_and_takes_no_copy_of_it() {
        let mut latest = Latest::default();
        let keys = limits::LATEST_KEYS as u64;
        for n in 0..10 * keys {
            assert!(latest.on_value(&n.to_string(), n));
        }
        assert_eq!(latest.received.len() as u64, keys);
        for n in 0..10 * keys {
            assert!(!latest.on_value(&n.to_string(), n), "a copy of {n}");
        }
        assert!(latest.on_value("0", 10 * keys), "set again");
    }

    /// Five times as many keys as are remembered, over a bad line. Each value says which of its key it is.
    fn many_keys(seed: u64) -> bool {
        let mut pipe = Pipe::new(seed);
        pipe.loss_percent = 10 + seed % 40;
        let (mut from, mut to) = (Latest::default(), Latest::default());
        let mut set = BTreeMap::<String, u32>::new();
        let mut got = BTreeMap::<String, u32>::new();
        for tick in 0..1_000_u32 {
            for _ in 0..if tick < 700 { 4 } else { 0 } {
                let key = pipe.rng.below(5 * limits::LATEST_KEYS as u64).to_string();
                if from
                    .set(&key, Bytes::copy_from_slice(&tick.to_be_bytes()))
                    .is_ok()
                {
                    set.insert(key, tick);
                }
            }
            pipe.loss_percent = if tick == 800 { 0 } else { pipe.loss_percent };
            flush(&mut from, &mut pipe);
            let until = pipe.now + Duration::from_millis(20);
            while let Some(arrival) = pipe.next_arrival(until) {
                match arrival {
                    Arrival::Packet { number, frames, .. } => {
                        pipe.settle(number, true);
                        for (note, key, data) in frames {
                            if to.on_value(&key, note.version) {
                                let n = u32::from_be_bytes(data[..].try_into().unwrap());
                                let before = got.insert(key.into(), n);
                                assert!(before.is_none_or(|before| before <= n));
                            }
                        }
                    }
                    Arrival::Acked { frames, .. } => {
                        frames
                            .into_iter()
                            .for_each(|(note, ..)| from.on_delivered(note));
                    }
                    Arrival::Lost { frames, .. } => {
                        frames.into_iter().for_each(|(note, ..)| from.on_lost(note));
                    }
                }
            }
        }
        assert!(set.len() > 2 * limits::LATEST_KEYS, "{}", set.len());
        got == set
    }

    quickcheck! {
        fn of_more_keys_than_are_remembered_each_ends_with_its_newest(seed: u8) -> bool {
            many_keys(u64::from(seed))
        }
    }
}
