//! The relaying node's channels. Takes: connect orders that the directory allowed, datagrams (only how long
//! they are) and the ends of sessions. Decides: where a datagram goes, or that it is dropped. protocol §10.2.
//!
//! Fairness: each direction of each channel has a quota of its own and a peer has at most
//! [`RELAY_CHANNELS_PER_PEER`] channels. Few of them are one requester's, or one source's: of a pair the newest stay,
//! and where a target has all that it may have, one that it never answered makes room. Such a one ends soon, however
//! often its requester speaks. Nothing is queued here.

use std::collections::{BTreeMap, BTreeSet};

use slab::Slab;

use crate::id::PeerKey;
use crate::limiter::{Shares, SourceKey, TokenBucket};
use crate::limits::{
    RELAY_BURST_BYTES, RELAY_BYTES_PER_S, RELAY_CHANNEL_LIFE, RELAY_CHANNELS,
    RELAY_CHANNELS_PER_PAIR, RELAY_CHANNELS_PER_PEER, RELAY_CHANNELS_PER_SOURCE,
    RELAY_CHANNELS_TO_TARGET_PER_SOURCE, RELAY_UNANSWERED_LIFE,
};
use crate::rng::Rng;
use crate::time::{Deadline, Duration, Instant, TimerKind};
use crate::wire::control::RELAY_CHOSEN;

/// Draws for a free number before giving up; with 2^31 numbers a second draw is already rare.
const DRAWS: u32 = 16;

/// Bounds of a relay; the defaults are those of [`crate::limits`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct RelayConfig {
    /// Channels open at once.
    pub channels: usize,
    /// Channels of one peer, as requester and as target together.
    pub channels_per_peer: usize,
    /// Channels of one requester to one target.
    pub channels_per_pair: usize,
    /// Channels to one target from one source.
    pub channels_to_target_per_source: usize,
    /// Channels from one source.
    pub channels_per_source: usize,
    /// Quiet time after which a channel ends.
    pub channel_life: Duration,
    /// Bytes a second, each direction of a channel.
    pub rate_bytes_per_s: u64,
    /// Bytes at once, each direction of a channel.
    pub burst_bytes: u64,
}

impl Default for RelayConfig {
    fn default() -> Self {
        Self {
            channels: RELAY_CHANNELS,
            channels_per_peer: RELAY_CHANNELS_PER_PEER,
            channels_per_pair: RELAY_CHANNELS_PER_PAIR,
            channels_to_target_per_source: RELAY_CHANNELS_TO_TARGET_PER_SOURCE,
            channels_per_source: RELAY_CHANNELS_PER_SOURCE,
            channel_life: RELAY_CHANNEL_LIFE,
            rate_bytes_per_s: RELAY_BYTES_PER_S,
            burst_bytes: RELAY_BURST_BYTES,
        }
    }
}

/// Why a channel was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RelayRefusal {
    /// The relay, the requester, its source or the target has all the channels that it may have.
    Full,
    /// The requester's number has the top bit set or is zero, or both ends are the same peer.
    Malformed,
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forward {
    /// It goes to this peer, under this number.
    To {
        /// The other end.
        peer: PeerKey,
        /// Number of the other end.
        channel: u32,
    },
    /// It is dropped.
    Drop(DropReason),
}

/// Why a datagram is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    /// The sender has no such channel.
    UnknownChannel,
    /// The quota of this direction is used up.
    Quota,
}

/// Counters since start; they only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RelayCounters {
    /// Channels opened.
    pub opened: u64,
    /// Channels refused for a bound.
    pub refused: u64,
    /// Datagrams forwarded.
    pub forwarded_datagrams: u64,
    /// Bytes forwarded.
    pub forwarded_bytes: u64,
    /// Datagrams dropped for want of a channel.
    pub dropped_unknown: u64,
    /// Datagrams dropped by the quota.
    pub dropped_quota: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Requester,
    Target,
}

#[derive(Clone, Copy, Debug)]
struct End {
    peer: PeerKey,
    channel: u32,
    /// Quota of what this end sends, bytes.
    quota: TokenBucket,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    requester: End,
    target: End,
    /// Where the requester is.
    source: SourceKey,
    opened: Instant,
    /// Whether the target has ever sent through it.
    is_answered: bool,
    last_used: Instant,
    /// Where the channel stands in the timers; moved only when it comes up, not on each datagram.
    timer: Instant,
}

impl Channel {
    /// When it ends unless something comes in between.
    fn end(&self, config: &RelayConfig) -> Instant {
        match self.is_answered {
            true => self.last_used + config.channel_life,
            false => self.opened + RELAY_UNANSWERED_LIFE,
        }
    }
}

/// All channels of a relaying node.
pub(crate) struct RelayServer {
    config: RelayConfig,
    rng: Rng,
    channels: Slab<Channel>,
    ends: BTreeMap<(PeerKey, u32), (usize, Side)>,
    peer_channels: BTreeMap<PeerKey, usize>,
    /// Channels by where their requester is.
    sources: Shares,
    timers: BTreeSet<(Instant, usize)>,
    counters: RelayCounters,
}

impl RelayServer {
    /// Makes a relay without channels.
    #[must_use]
    pub(crate) fn new(config: RelayConfig, rng: Rng) -> Self {
        Self {
            sources: Shares::new(
                config.channels_per_source,
                config.channels_per_source.saturating_mul(4),
            ),
            config,
            rng,
            channels: Slab::new(),
            ends: BTreeMap::new(),
            peer_channels: BTreeMap::new(),
            timers: BTreeSet::new(),
            counters: RelayCounters::default(),
        }
    }

    /// Opens a channel and returns the number of the target's end (top bit set). The same request again
    /// returns the same number; the same number of the requester for another target replaces the channel.
    /// Both must be registered: the parent asks only after the directory gave a connect order.
    ///
    /// # Errors
    /// [`RelayRefusal`] with nothing changed.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        (requester, source): (PeerKey, SourceKey),
        requester_channel: u32,
        target: PeerKey,
    ) -> Result<u32, RelayRefusal> {
        self.on_timeout(now);
        let wrong_number = requester_channel == 0 || requester_channel & RELAY_CHOSEN != 0;
        if wrong_number || requester == target {
            return Err(RelayRefusal::Malformed);
        }
        let replaced = self.ends.get(&(requester, requester_channel)).copied();
        if let Some((slot, _)) = replaced
            && let Some(channel) = self.channels.get_mut(slot)
            && channel.target.peer == target
        {
            channel.last_used = now;
            return Ok(channel.target.channel);
        }
        let spare = replaced.map(|(slot, _)| slot);
        let is_room = self.make_room((requester, source), target, spare);
        let number = match is_room {
            true => self.choose_number(requester, replaced.is_some(), target),
            false => None,
        };
        let Some(number) = number else {
            self.counters.refused += 1;
            return Err(RelayRefusal::Full);
        };
        if let Some((slot, _)) = replaced {
            self.close(slot);
        }
        let end = (requester, requester_channel);
        self.insert(now, source, end, (target, number));
        Ok(number)
    }

    /// Makes room for one more channel to `target`, besides the one that it replaces; says whether there is any.
    fn make_room(
        &mut self,
        (requester, source): (PeerKey, SourceKey),
        target: PeerKey,
        replaced: Option<usize>,
    ) -> bool {
        let others: Vec<_> = self
            .slots_of(target)
            .filter(|slot| Some(*slot) != replaced)
            .filter_map(|slot| Some((slot, *self.channels.get(slot)?)))
            .filter(|(_, channel)| channel.target.peer == target)
            .collect();
        let least = |of: &dyn Fn(&Channel) -> bool| {
            let of = others.iter().filter(|(_, channel)| of(channel));
            let least = of.clone().min_by_key(|(_, c)| (c.is_answered, c.last_used));
            (of.count(), least.copied())
        };
        let (of_pair, least_of_pair) = least(&|c| c.requester.peer == requester);
        let (of_source, least_of_source) = least(&|c| c.source == source);
        let (_, least_of_all) = least(&|_| true);
        let unanswered = |least: Option<(usize, Channel)>| least.filter(|(_, c)| !c.is_answered);
        let spare = usize::from(replaced.is_some());
        let is_full = self.channels.len() >= self.config.channels + spare
            || self.count(requester) >= self.config.channels_per_peer + spare;
        if is_full && of_pair < self.config.channels_per_pair {
            return false;
        }
        // Its requester's own, before anybody else's.
        let going = if of_pair >= self.config.channels_per_pair {
            least_of_pair
        } else if of_source >= self.config.channels_to_target_per_source {
            unanswered(least_of_source)
        } else if self.count(target) >= self.config.channels_per_peer {
            unanswered(least_of_all)
        } else {
            return self.sources.has_room(source);
        };
        let is_room = going.is_some() && self.sources.has_room(source);
        if let Some((slot, _)) = going.filter(|_| is_room) {
            self.close(slot);
        }
        is_room
    }

    fn choose_number(
        &mut self,
        requester: PeerKey,
        replaces: bool,
        target: PeerKey,
    ) -> Option<u32> {
        let spare = usize::from(replaces);
        let full = self.channels.len() >= self.config.channels + spare
            || self.count(requester) >= self.config.channels_per_peer + spare
            || self.count(target) >= self.config.channels_per_peer;
        if full {
            return None;
        }
        (0..DRAWS)
            .map(|_| self.rng.next_u32() | RELAY_CHOSEN)
            .find(|number| !self.ends.contains_key(&(target, *number)))
    }

    fn count(&self, peer: PeerKey) -> usize {
        self.peer_channels.get(&peer).copied().unwrap_or(0)
    }

    fn insert(
        &mut self,
        now: Instant,
        source: SourceKey,
        requester: (PeerKey, u32),
        target: (PeerKey, u32),
    ) {
        let timer = now + RELAY_UNANSWERED_LIFE;
        let RelayConfig {
            rate_bytes_per_s,
            burst_bytes,
            ..
        } = self.config;
        let quota = TokenBucket::new(rate_bytes_per_s, burst_bytes, now);
        let end = |(peer, channel)| End {
            peer,
            channel,
            quota,
        };
        let slot = self.channels.insert(Channel {
            requester: end(requester),
            target: end(target),
            source,
            opened: now,
            is_answered: false,
            last_used: now,
            timer,
        });
        self.ends.insert(requester, (slot, Side::Requester));
        self.ends.insert(target, (slot, Side::Target));
        *self.peer_channels.entry(requester.0).or_default() += 1;
        *self.peer_channels.entry(target.0).or_default() += 1;
        self.sources.add(source);
        self.timers.insert((timer, slot));
        self.counters.opened += 1;
    }

    fn close(&mut self, slot: usize) {
        let Some(channel) = self.channels.try_remove(slot) else {
            return;
        };
        self.timers.remove(&(channel.timer, slot));
        self.sources.remove(channel.source);
        for end in [channel.requester, channel.target] {
            self.ends.remove(&(end.peer, end.channel));
            if let Some(count) = self.peer_channels.get_mut(&end.peer) {
                *count -= 1;
                if *count == 0 {
                    self.peer_channels.remove(&end.peer);
                }
            }
        }
    }

    /// Says where a datagram of `length_bytes` goes that `from` sent on its end `channel`.
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        from: PeerKey,
        channel: u32,
        length_bytes: usize,
    ) -> Forward {
        let found = self.ends.get(&(from, channel)).copied();
        let Some((slot, side)) = found else {
            return self.drop_unknown();
        };
        let Some(channel) = self.channels.get_mut(slot) else {
            return self.drop_unknown();
        };
        if channel.end(&self.config) <= now {
            return self.drop_unknown();
        }
        let (from, to) = match side {
            Side::Requester => (&mut channel.requester, channel.target),
            Side::Target => (&mut channel.target, channel.requester),
        };
        let length_bytes = length_bytes as u64;
        if !from.quota.take(now, length_bytes) {
            self.counters.dropped_quota += 1;
            return Forward::Drop(DropReason::Quota);
        }
        channel.last_used = now;
        channel.is_answered |= side == Side::Target;
        self.counters.forwarded_datagrams += 1;
        self.counters.forwarded_bytes += length_bytes;
        Forward::To {
            peer: to.peer,
            channel: to.channel,
        }
    }

    fn drop_unknown(&mut self) -> Forward {
        self.counters.dropped_unknown += 1;
        Forward::Drop(DropReason::UnknownChannel)
    }

    /// Whoever has this end of a channel does not want it: it closes. Returns the other end.
    pub(crate) fn on_declined(&mut self, peer: PeerKey, channel: u32) -> Option<(PeerKey, u32)> {
        let (slot, side) = self.ends.get(&(peer, channel)).copied()?;
        let channel = self.channels.get(slot)?;
        let other = match side {
            Side::Requester => channel.target,
            Side::Target => channel.requester,
        };
        self.close(slot);
        Some((other.peer, other.channel))
    }

    /// The session is over: its channels close.
    pub(crate) fn on_session_closed(&mut self, peer: PeerKey) {
        let slots: Vec<_> = self.slots_of(peer).collect();
        for slot in slots {
            self.close(slot);
        }
    }

    fn slots_of(&self, peer: PeerKey) -> impl Iterator<Item = usize> + '_ {
        let range = (peer, 0)..=(peer, u32::MAX);
        self.ends.range(range).map(|(_, end)| end.0)
    }

    /// Ends channels that were quiet, or without an answer, for too long.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        while let Some(&(at, slot)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            let Some(channel) = self.channels.get_mut(slot) else {
                continue;
            };
            let end = channel.end(&self.config);
            if end <= now {
                self.close(slot);
            } else {
                channel.timer = end;
                self.timers.insert((end, slot));
            }
        }
    }

    /// When to call `on_timeout`.
    #[must_use]
    pub(crate) fn next_timeout(&self) -> Option<Deadline> {
        let (at, _) = self.timers.first()?;
        Some(Deadline::new(*at, TimerKind::Directory))
    }

    /// Channels open.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether no channel is open.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Counters since start.
    #[must_use]
    pub(crate) const fn counters(&self) -> RelayCounters {
        self.counters
    }
}

#[cfg(test)]
mod tests;
