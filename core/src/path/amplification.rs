//! Limits what an address gets from us before it proved that it wants it: three bytes for each
//! byte that came from it (RFC 9000 §8). A forged source address can thus not turn us into an
//! amplifier.
//!
//! Takes: bytes received and sent. Returns: whether so many more may leave (docs/protocol.md §9.2).

use crate::limits;

/// Bytes exchanged with an address that has not validated itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amplification {
    received_bytes: u64,
    sent_bytes: u64,
}

impl Amplification {
    pub(super) fn on_received(&mut self, bytes: usize) {
        self.received_bytes = self.received_bytes.saturating_add(bytes as u64);
    }

    pub(super) fn on_sent(&mut self, bytes: usize) {
        self.sent_bytes = self.sent_bytes.saturating_add(bytes as u64);
    }

    /// Whether `bytes` more stay within the limit.
    pub(super) fn allows(&self, bytes: usize) -> bool {
        let allowed = self.received_bytes.saturating_mul(limits::AMPLIFICATION);
        self.sent_bytes.saturating_add(bytes as u64) <= allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    #[test]
    fn an_address_that_sent_nothing_gets_nothing() {
        assert!(!Amplification::default().allows(1));
        let mut one = Amplification::default();
        one.on_received(40);
        assert!(one.allows(120));
        assert!(!one.allows(121));
    }

    quickcheck! {
        fn sent_never_exceeds_three_times_received(steps: Vec<(u16, u16)>) -> bool {
            let (mut budget, mut got, mut gave) = (Amplification::default(), 0_u64, 0_u64);
            steps.into_iter().all(|(received, wanted)| {
                budget.on_received(usize::from(received));
                got += u64::from(received);
                if budget.allows(usize::from(wanted)) {
                    budget.on_sent(usize::from(wanted));
                    gave += u64::from(wanted);
                }
                gave <= 3 * got
            })
        }
    }
}
