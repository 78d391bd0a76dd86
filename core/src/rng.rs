//! Seeded randomness. One seed enters with the configuration; every component forks its own generator with a
//! label, so that a new draw in one place shifts no other (docs/architecture.md §4).

use blake2::digest::{Update, VariableOutput};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng};

/// A deterministic generator (ChaCha12), as strong as its seed is secret.
///
/// It holds no block of output: each draw is the beginning of a stream of its own, by the number of the draw. So a
/// generator takes 40 bytes, and every peer can have one; most of them draw a few numbers in their life.
pub struct Rng {
    seed: [u8; 32],
    draws: u64,
}

impl Rng {
    /// Starts from a seed; production seeds come from the operating system.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed, draws: 0 }
    }

    /// The stream of the next draw.
    fn draw(&mut self) -> ChaCha12Rng {
        let mut stream = ChaCha12Rng::from_seed(self.seed);
        stream.set_stream(self.draws);
        self.draws = self.draws.wrapping_add(1);
        stream
    }

    /// A generator of its own for `label`; forking draws nothing from this one.
    #[must_use]
    pub fn fork(&self, label: &str) -> Self {
        let mut seed = [0; 32];
        #[expect(clippy::expect_used, reason = "32 is a valid BLAKE2s output length")]
        let mut hash = blake2::Blake2sVar::new(32).expect("a valid length");
        hash.update(b"p2p rng fork");
        hash.update(&self.seed);
        hash.update(label.as_bytes());
        let _ = hash.finalize_variable(&mut seed);
        Self::from_seed(seed)
    }

    /// A generator of its own that starts from a number drawn here: for use while this one's owner is borrowed.
    #[must_use]
    pub fn fork_next(&mut self) -> Self {
        Self::from_seed(self.array())
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.draw().fill_bytes(bytes);
    }

    /// An array of random bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random 32-bit number.
    pub fn next_u32(&mut self) -> u32 {
        self.draw().next_u32()
    }

    /// A random 64-bit number.
    pub fn next_u64(&mut self) -> u64 {
        self.draw().next_u64()
    }

    /// A number below `bound`, near enough to uniform for schedules and simulations; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        (wide >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forks_with_other_labels_differ_and_do_not_draw() {
        let root = Rng::from_seed([7; 32]);
        let mut a = root.fork("a");
        let mut b = root.fork("b");
        let mut again = root.fork("a");
        let first = a.next_u64();
        assert_ne!(first, b.next_u64());
        assert_eq!(first, again.next_u64());
    }

    #[test]
    fn draws_differ_and_come_again_from_the_same_seed() {
        let (mut one, mut two) = (Rng::from_seed([9; 32]), Rng::from_seed([9; 32]));
        let drawn: Vec<u64> = (0..100).map(|_| one.next_u64()).collect();
        let distinct: std::collections::BTreeSet<_> = drawn.iter().collect();
        assert_eq!(distinct.len(), drawn.len());
        assert!(drawn.iter().all(|number| *number == two.next_u64()));
        assert!(size_of::<Rng>() <= 40);
    }

    #[test]
    fn below_stays_below() {
        let mut rng = Rng::from_seed([1; 32]);
        assert!((0..10_000).all(|_| rng.below(7) < 7));
        assert_eq!(rng.below(0), 0);
    }
}
