//! Round trips by bytes delivered, never by the clock, and what was lost and delivered in each. A round ends when a
//! packet is acknowledged that left after it began.

/// Counts round trips.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rounds {
    /// Bytes delivered by which a packet must have left to end the round.
    next: u64,
    /// Rounds so far.
    pub(super) count: u64,
    /// The acknowledgement that is being applied ended one.
    pub(super) is_start: bool,
}

impl Rounds {
    /// Applies an acknowledgement whose newest packet left when `sent_at` bytes had been delivered; now `delivered`
    /// are.
    pub(super) fn on_ack(&mut self, sent_at: u64, delivered: u64) {
        self.is_start = sent_at >= self.next;
        if self.is_start {
            self.begin(delivered);
            self.count += 1;
        }
    }

    /// Begins a round now.
    pub(super) const fn begin(&mut self, delivered: u64) {
        self.next = delivered;
    }
}

/// Packets of a round that were settled.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settled {
    pub(super) lost: f64,
    pub(super) acked: f64,
    /// Runs of consecutive losses.
    pub(super) ranges: u32,
}

/// Packets that were lost and settled since the last loss round began, which ends a round trip after its first loss.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LossRound {
    end: u64,
    pub(super) is_start: bool,
    pub(super) has_loss: bool,
    pub(super) lost: f64,
    pub(super) settled: f64,
}

impl LossRound {
    /// Applies a loss; says whether it is the first of its round.
    pub(super) fn on_lost(&mut self, delivered: u64) -> bool {
        let is_first = !self.has_loss;
        if is_first {
            self.end = delivered;
        }
        self.has_loss = true;
        self.lost += 1.0;
        is_first
    }

    /// Applies an acknowledgement as [`Rounds::on_ack`] does.
    pub(super) fn on_ack(&mut self, sent_at: u64, delivered: u64) {
        self.is_start = sent_at >= self.end;
        if self.is_start {
            self.end = delivered;
        }
    }

    /// Forgets what was lost and settled.
    pub(super) fn clear(&mut self) {
        self.has_loss = false;
        self.lost = 0.0;
        self.settled = 0.0;
    }
}
