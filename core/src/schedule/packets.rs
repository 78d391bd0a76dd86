//! Which packets leave for a peer, and in which order, as data: what has a packet of its own goes before the packets
//! that [`super::Schedule`] fills, the most urgent first. Forwarded datagrams and what the node itself says share the
//! path by weight, so that neither stops the other.

use super::turns::Turns;

/// Names a source of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketName {
    /// Calls, and what confirms an answer.
    Handshake,
    /// Answers to path challenges.
    PathResponses,
    /// Path challenges.
    PathProbes,
    /// Signs of life.
    KeepAlives,
    /// The end of the association.
    Farewell,
    /// Probes of the largest datagram.
    MtuProbes,
    /// What is forwarded through relay channels.
    Relayed,
    /// Packets filled with frames.
    Frames,
}

/// The most urgent first; few and small by construction.
const FIRST: [PacketName; 6] = [
    PacketName::Handshake,
    PacketName::PathResponses,
    PacketName::PathProbes,
    PacketName::KeepAlives,
    PacketName::Farewell,
    PacketName::MtuProbes,
];

/// Those that can fill the line, with their weights.
const SHARED: [PacketName; 2] = [PacketName::Relayed, PacketName::Frames];
const SHARES: [u16; 2] = [1, 1];

/// Which of those that can fill the line have something; it may turn out to be nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// [`PacketName::Relayed`].
    pub(crate) relayed: bool,
    /// [`PacketName::Frames`].
    pub(crate) frames: bool,
}

/// Decides which source has the next packets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PacketSchedule {
    turns: Turns<2>,
}

impl PacketSchedule {
    /// The next packets; `None` where no source has any. `poll` gives those of one source, and their bytes.
    pub(crate) fn poll<T>(
        &mut self,
        waiting: Waiting,
        mut poll: impl FnMut(PacketName) -> Option<(T, usize)>,
    ) -> Option<T> {
        if let Some((packets, _)) = FIRST.iter().find_map(|name| poll(*name)) {
            return Some(packets);
        }
        let waiting = [waiting.relayed, waiting.frames];
        let mut fits = [true; 2];
        loop {
            let at = self.turns.next(waiting, fits, SHARES)?;
            match poll(*SHARED.get(at)?) {
                Some((packets, bytes)) => {
                    self.turns.charge(at, bytes);
                    return Some(packets);
                }
                // It is blocked, for example by its window.
                None => *fits.get_mut(at)? = false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Batches of one size for each source.
    #[derive(Default)]
    struct Fake {
        left: [usize; 8],
        /// Wait, and have nothing when they are asked.
        blocked: [bool; 8],
    }

    impl Fake {
        fn poll(&mut self, schedule: &mut PacketSchedule) -> Option<PacketName> {
            let waits =
                |name: PacketName| self.left[name as usize] > 0 || self.blocked[name as usize];
            let waiting = Waiting {
                relayed: waits(PacketName::Relayed),
                frames: waits(PacketName::Frames),
            };
            schedule.poll(waiting, |name| {
                let left = &mut self.left[name as usize];
                *left = left.checked_sub(1)?;
                let bytes = if name == PacketName::Relayed {
                    60_000
                } else {
                    1_200
                };
                Some((name, bytes))
            })
        }
    }

    #[test]
    fn what_has_a_packet_of_its_own_goes_before_what_fills_the_line() {
        let (mut schedule, mut pool) = (PacketSchedule::default(), Fake::default());
        pool.left = [1; 8];
        let order: Vec<_> = core::iter::from_fn(|| pool.poll(&mut schedule)).collect();
        assert_eq!(order[..6], FIRST);
        assert_eq!(order.len(), 8);
    }

    /// Somebody who floods a relay must not stop what the relay itself says, nor the reverse.
    #[test]
    fn forwarded_datagrams_and_our_own_packets_share_the_line_by_bytes() {
        let (mut schedule, mut pool) = (PacketSchedule::default(), Fake::default());
        pool.left[PacketName::Relayed as usize] = 10_000;
        pool.left[PacketName::Frames as usize] = 10_000;
        let mut bytes = [0_usize; 2];
        for _ in 0..5_000 {
            match pool.poll(&mut schedule) {
                Some(PacketName::Relayed) => bytes[0] += 60_000,
                Some(PacketName::Frames) => bytes[1] += 1_200,
                other => panic!("{other:?}"),
            }
        }
        let ratio = bytes[0] as f64 / bytes[1] as f64;
        assert!((0.9..1.1).contains(&ratio), "{bytes:?}");
    }

    #[test]
    fn a_source_that_is_blocked_stops_no_other() {
        let (mut schedule, mut pool) = (PacketSchedule::default(), Fake::default());
        pool.left[PacketName::Relayed as usize] = 100;
        pool.blocked[PacketName::Frames as usize] = true;
        for _ in 0..100 {
            assert_eq!(pool.poll(&mut schedule), Some(PacketName::Relayed));
        }
        assert_eq!(pool.poll(&mut schedule), None);
    }
}
