//! The door for strangers: what an unauthenticated datagram may cost us (protocol §3.4, §3.5, §4.6, §11).
//! Decides: compute, demand a cookie, or drop. Holds nothing per source but a slot of a fixed table.

use crate::id::NodeId;
use crate::identity::Identity;
use crate::limiter::{FairBudget, SourceKey, SourceMeter, TokenBucket};
use crate::limits;
use crate::path::Route;
use crate::rng::Rng;
use crate::session::{CookieJar, MacKey, RecordCache, ResetKey, build_reset};
use crate::time::Instant;

/// What to do with a handshake datagram.
pub(crate) enum Admission {
    /// Worth computing.
    Compute,
    /// Answer with this, compute nothing.
    Cookie(Vec<u8>),
    /// Not for us: its mac1 is wrong.
    WrongMac,
    /// Too much; drop.
    Throttled,
}

/// Budgets and keys that face strangers.
pub(crate) struct Guard {
    mac: MacKey,
    cookies: CookieJar,
    /// What sources may ask for that proved nothing, and those that showed a cookie: whoever forges an address
    /// uses up the first only.
    sources: SourceMeter,
    validated: SourceMeter,
    channels: SourceMeter,
    relayed: TokenBucket,
    computed: TokenBucket,
    /// What all together may ask for that showed a cookie.
    computed_validated: FairBudget,
    resets: FairBudget,
    stun: TokenBucket,
    reset_key: ResetKey,
    rng: Rng,
    /// Key records whose signature was checked before.
    pub(crate) records: RecordCache,
}

impl Guard {
    pub(crate) fn new(now: Instant, id: NodeId, identity: &Identity, mut rng: Rng) -> Self {
        let per_s = |rate: u32| TokenBucket::new(u64::from(rate), u64::from(rate), now);
        let mut meter = || {
            let (rate, burst) = (
                limits::HANDSHAKES_PER_SOURCE_PER_S,
                limits::HANDSHAKES_PER_SOURCE_BURST,
            );
            SourceMeter::new(&mut rng, rate, burst)
        };
        let (sources, validated, channels) = (meter(), meter(), meter());
        let computed_validated = FairBudget::new(
            now,
            &mut rng,
            limits::HANDSHAKES_VALIDATED_PER_S,
            limits::HANDSHAKES_PER_NETWORK_PER_S,
            limits::HANDSHAKES_MODEST_PER_S,
        );
        let per_source = limits::RESETS_PER_SOURCE_PER_S;
        let resets = FairBudget::new(now, &mut rng, limits::RESETS_PER_S, per_source, 1);
        Self {
            mac: MacKey::of(&id),
            cookies: CookieJar::new(id, rng.fork("cookies")),
            sources,
            validated,
            channels,
            relayed: per_s(limits::HANDSHAKES_RELAYED_PER_S),
            computed: per_s(limits::HANDSHAKES_BEFORE_COOKIES_PER_S),
            computed_validated,
            resets,
            stun: per_s(limits::STUN_PER_S),
            reset_key: ResetKey::of(identity),
            rng,
            records: RecordCache::new(),
        }
    }

    /// Whether a handshake datagram was made for us; costs one hash.
    pub(crate) fn is_for_us(&self, datagram: &[u8]) -> bool {
        self.mac.check_mac1(datagram)
    }

    /// Judges an initiation, or a third datagram of `XX` whose handshake has used up its free one. Where the half-open
    /// handshakes are many, `must_prove` asks for a cookie in any case.
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        route: Route,
        datagram: &[u8],
        must_prove: bool,
    ) -> Admission {
        if !self.is_for_us(datagram) {
            return Admission::WrongMac;
        }
        let source = match route {
            Route::Direct(pair) => pair.remote,
            Route::Relay { .. } => {
                let is_allowed =
                    self.channels.take(now, source_of(route)) && self.relayed.take(now, 1);
                return if is_allowed {
                    Admission::Compute
                } else {
                    Admission::Throttled
                };
            }
        };
        self.cookies.on_time(now);
        if self.cookies.check_mac2(datagram, source) {
            let source = source_of(route);
            let is_allowed =
                self.validated.take(now, source) && self.computed_validated.take(now, source);
            return if is_allowed {
                Admission::Compute
            } else {
                Admission::Throttled
            };
        }
        let is_allowed = !must_prove && self.sources.take(now, source_of(route));
        if is_allowed && self.computed.take(now, 1) {
            return Admission::Compute;
        }
        let reply = self.cookies.reply(datagram, source, &mut self.rng);
        reply.map_or(Admission::Throttled, Admission::Cookie)
    }

    /// The token that ends the session with this receiver index should we ever lose it.
    pub(crate) fn reset_token(&self, index: u32) -> [u8; 16] {
        self.reset_key.token(index)
    }

    /// A stateless reset for a data packet that nobody here can open; `None` where it would be too much.
    pub(crate) fn reset(
        &mut self,
        now: Instant,
        route: Route,
        index: u32,
        trigger_bytes: usize,
    ) -> Option<Vec<u8>> {
        if !self.resets.take(now, source_of(route)) {
            return None;
        }
        let token = self.reset_key.token(index);
        build_reset(trigger_bytes, &token, &mut self.rng)
    }

    /// Whether one more STUN request may be answered.
    pub(crate) fn may_answer_stun(&mut self, now: Instant) -> bool {
        self.stun.take(now, 1)
    }
}

/// Where it comes from: an address, or a channel of a relay.
pub(super) fn source_of(route: Route) -> SourceKey {
    match route {
        Route::Direct(pair) => SourceKey::of(pair.remote.ip()),
        Route::Relay { relay, channel } => SourceKey::of_channel(relay, channel),
    }
}
