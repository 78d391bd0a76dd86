//! Deficit round robin (Shreedhar and Varghese, 1995) over the few sources of one row: each has its turn until it
//! has written its share in bytes, so that sizes of frames do not decide who gets how much.

/// Bytes that a source of weight 1 writes in one turn: a packet's worth, so that one source fills a packet.
const QUANTUM_BYTES: i32 = 1_420;
/// Most that a source can owe: no frame is longer.
const DEBT_BYTES_MAX: i32 = 65_536;

/// Whose turn it is among `N` sources.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turns<const N: usize> {
    /// Bytes that each may still write in this round; a frame may overdraw it.
    deficits: [i32; N],
    turn: usize,
}

impl<const N: usize> Default for Turns<N> {
    fn default() -> Self {
        Self {
            deficits: [0; N],
            turn: 0,
        }
    }
}

impl<const N: usize> Turns<N> {
    /// The source that writes next, of those that are `waiting` and whose frames fit into the packet (`fits`); `None`
    /// where none is.
    pub(crate) fn next(
        &mut self,
        waiting: [bool; N],
        fits: [bool; N],
        weights: [u16; N],
    ) -> Option<usize> {
        let ready = |at: usize| waiting.get(at) == Some(&true) && fits.get(at) == Some(&true);
        if !(0..N).any(ready) {
            return None;
        }
        // Debts are bounded, so a few rounds bring someone above zero.
        while !(0..N).any(|at| waiting.get(at) == Some(&true) && self.may_write(at)) {
            self.begin_round(waiting, weights);
        }
        let turn = self.turn;
        let in_turn = (0..N).map(|step| (turn + step) % N);
        // Where the one whose turn it is does not fit, another takes the rest of the packet and owes it.
        let next = in_turn
            .clone()
            .find(|at| ready(*at) && self.may_write(*at))
            .or_else(|| in_turn.clone().find(|at| ready(*at)))?;
        if self.may_write(next) {
            self.turn = next;
        }
        Some(next)
    }

    fn may_write(&self, at: usize) -> bool {
        self.deficits.get(at).is_some_and(|left| *left > 0)
    }

    /// Who does not wait saves nothing up for later.
    fn begin_round(&mut self, waiting: [bool; N], weights: [u16; N]) {
        for ((left, waits), weight) in self.deficits.iter_mut().zip(waiting).zip(weights) {
            let share = QUANTUM_BYTES * i32::from(weight.max(1));
            *left = if waits {
                (*left + share).min(share)
            } else {
                (*left).min(0)
            };
        }
        self.turn = (self.turn + 1) % N;
    }

    /// The source wrote so many bytes.
    pub(crate) fn charge(&mut self, source: usize, bytes: usize) {
        if let Some(left) = self.deficits.get_mut(source) {
            let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
            *left = left.saturating_sub(bytes).max(-DEBT_BYTES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use quickcheck::quickcheck;

    use super::*;

    /// Bytes that each of two sources wrote, whose frames have these sizes, in `frames` frames.
    fn shares(sizes: [usize; 2], weights: [u16; 2], frames: usize) -> [usize; 2] {
        let (mut turns, mut written) = (Turns::<2>::default(), [0; 2]);
        for _ in 0..frames {
            let at = turns.next([true; 2], [true; 2], weights).unwrap();
            turns.charge(at, sizes[at]);
            written[at] += sizes[at];
        }
        written
    }

    quickcheck! {
        fn bytes_are_shared_by_weight_whatever_the_frames_sizes(a: u16, b: u16, wa: u8, wb: u8) -> bool {
            let sizes = [1 + usize::from(a % 1_400), 1 + usize::from(b % 1_400)];
            let weights = [1 + u16::from(wa % 16), 1 + u16::from(wb % 16)];
            let written = shares(sizes, weights, 60_000);
            let round = weights.map(|w| f64::from(w) * f64::from(QUANTUM_BYTES));
            let expected = round[0] / round[1];
            let got = written[0] as f64 / written[1] as f64;
            // The frames may end in the middle of a round.
            let rounds = (written[0] + written[1]) as f64 / (round[0] + round[1]);
            (got / expected - 1.0).abs() < 0.02 + 3.0 / rounds.max(1.0)
        }
    }

    #[test]
    fn who_did_not_wait_saves_nothing_up_and_a_lone_source_never_waits() {
        let mut turns = Turns::<2>::default();
        for _ in 0..1_000 {
            assert_eq!(turns.next([true, false], [true; 2], [1, 1]), Some(0));
            turns.charge(0, 1_420);
        }
        let mut run = [0_usize; 2];
        for _ in 0..10 {
            let at = turns.next([true; 2], [true; 2], [1, 1]).unwrap();
            turns.charge(at, 1_420);
            run[at] += 1;
        }
        assert_eq!(run, [5, 5]);
        assert_eq!(turns.next([false; 2], [true; 2], [1, 1]), None);
    }
}
