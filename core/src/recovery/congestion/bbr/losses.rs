//! What the path loses by itself, so that loss alone does not count as congestion. While the sender *listens*, with no
//! more in flight than the path holds, what is lost is the path's own: the base. Losses count where they are more than
//! the base explains by a margin and so many standard deviations, which runs of losses make wider; and where more is
//! lost when pushing than when listening over a few thousand packets, the difference is the sender's own doing.

/// Packets over which rates are averaged.
const MEMORY: f64 = 2_000.0;
/// Packets as which fewer count.
const LEAST: f64 = 100.0;
/// The largest base that is believed.
const BASE_MAX: f64 = 0.1;
/// The same where the path is as fast as it ever was.
const BASE_MAX_AT_BEST: f64 = 0.2;
/// Loss that always counts as little.
const SLIGHT: f64 = 0.005;

/// A rate of loss.
#[derive(Clone, Copy, Debug, Default)]
struct LossRate {
    rate: f64,
    packets: f64,
}

impl LossRate {
    fn note(&mut self, packets: f64, lost: f64) {
        self.packets = (self.packets + packets).min(MEMORY);
        self.rate += (lost - self.rate * packets) / self.packets.max(LEAST);
    }
}

/// Losses when listening and when pushing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Losses {
    listened: LossRate,
    pushed: LossRate,
    /// Consecutive losses up to now, and how many come together on average.
    run: f64,
    run_mean: f64,
    last: Option<u64>,
    /// The path is as fast as it was at its best: no queue of others hides in the base.
    is_at_best: bool,
    /// Numbers of the packets that left while listening.
    from: u64,
    to: u64,
    is_open: bool,
}

impl Losses {
    pub(super) const fn new() -> Self {
        let none = LossRate {
            rate: 0.0,
            packets: 0.0,
        };
        Self {
            listened: none,
            pushed: none,
            run: 1.0,
            run_mean: 1.0,
            last: None,
            is_at_best: true,
            from: 1,
            to: 0,
            is_open: false,
        }
    }

    /// Notes a packet that leaves, whether while listening or not.
    pub(super) const fn on_sent(&mut self, pn: u64, is_listening: bool) {
        if is_listening {
            if !self.is_open {
                self.from = pn;
            }
            self.to = pn;
        }
        self.is_open = is_listening;
    }

    /// Whether a packet left while listening.
    pub(super) const fn covers(&self, pn: u64) -> bool {
        self.from <= pn && pn <= self.to
    }

    /// Notes a loss; says whether it begins a run of them.
    pub(super) fn on_lost(&mut self, pn: u64, is_quiet: bool) -> bool {
        let begins = self.last.is_none_or(|last| last + 1 != pn);
        self.last = Some(pn);
        let is_listened = self.covers(pn);
        if begins {
            if is_listened {
                self.run_mean = (self.run_mean + (self.run - self.run_mean) / 16.0).min(8.0);
            }
            self.run = 1.0;
        } else {
            self.run += 1.0;
        }
        if !is_listened {
            self.pushed.note(1.0, 1.0);
        } else if is_quiet {
            self.note_listened(1.0, 1.0);
        }
        begins
    }

    /// Notes packets that arrived: in all, and of those that left while listening.
    pub(super) fn on_acked(&mut self, packets: f64, listened: f64, is_quiet: bool) {
        if packets > listened {
            self.pushed.note(packets - listened, 0.0);
        }
        if listened > 0.0 && is_quiet {
            self.note_listened(listened, 0.0);
        }
    }

    /// Notes whether the path is as fast as at its best now.
    pub(super) fn set_at_best(&mut self, is_at_best: bool) {
        self.is_at_best = is_at_best;
        self.note_listened(0.0, 0.0);
    }

    fn note_listened(&mut self, packets: f64, lost: f64) {
        self.listened.note(packets, lost);
        let most = if self.is_at_best {
            BASE_MAX_AT_BEST
        } else {
            BASE_MAX
        };
        self.listened.rate = self.listened.rate.min(most);
    }

    /// Packets that were listened to.
    pub(super) const fn listened_packets(&self) -> f64 {
        self.listened.packets
    }

    /// What the path loses by itself, of one.
    pub(super) const fn base(&self) -> f64 {
        self.listened.rate
    }

    /// Whether more than a slight part is lost at all.
    pub(super) fn is_lossy(&self) -> bool {
        self.listened.rate > SLIGHT || self.pushed.rate > SLIGHT
    }

    /// Whether `lost` of `packets` is more than the base explains, by `margin` and so many standard deviations.
    pub(super) fn is_excess(&self, lost: f64, packets: f64, margin: f64, deviations: f64) -> bool {
        let sure = 1.0 + packets / self.listened.packets.max(LEAST);
        let runs = 2.0 * self.run_mean - 1.0;
        let spread = (packets * self.base() * sure * runs).sqrt();
        lost > packets * (self.base() + margin) + deviations * spread
    }

    /// Whether more is lost when pushing than when listening: then the rest is our own.
    pub(super) fn is_self_made(&self) -> bool {
        let (listened, pushed) = (self.listened, self.pushed);
        if pushed.packets < 2.0 * LEAST || listened.packets < 20.0 {
            return false;
        }
        let variance =
            listened.rate.max(0.002) / listened.packets + pushed.rate.max(0.002) / pushed.packets;
        let spread = (variance * (2.0 * self.run_mean - 1.0)).sqrt();
        pushed.rate > 1.25 * listened.rate + SLIGHT + 2.0 * spread
    }
}
