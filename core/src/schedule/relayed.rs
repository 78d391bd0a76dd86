//! What is forwarded to a peer through its relay channels: each datagram is a packet of its own, as it came, and
//! neither repeated nor acknowledged (protocol §7).

use bytes::Bytes;

use super::fair_queue::FairQueue;
use crate::limits;
use crate::wire::frame::RelayFrame;

/// Datagrams waiting to be forwarded to one peer; `R` is a route to it.
pub(crate) struct Relayed<R> {
    queue: FairQueue,
    /// A packet that was sealed and turned out longer than those of its batch.
    sealed: Option<(R, Vec<u8>)>,
}

impl<R> Default for Relayed<R> {
    fn default() -> Self {
        Self {
            queue: FairQueue::default(),
            sealed: None,
        }
    }
}

/// Packets for one route, one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packets<R> {
    /// Where they go.
    pub(crate) route: R,
    /// Bytes in all.
    pub(crate) len: usize,
    /// Bytes of each but the last.
    pub(crate) segment_size: usize,
}

impl<R: Copy> Relayed<R> {
    /// A datagram for a channel; dropped where too much waits already, and `false` then.
    pub(crate) fn push(&mut self, channel: u32, datagram: Bytes) -> bool {
        self.queue.push(channel, datagram)
    }

    /// Whether something is to be forwarded.
    pub(crate) fn waits(&self) -> bool {
        !self.queue.is_empty() || self.sealed.is_some()
    }

    /// Nothing of this is forwarded any more.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The packet that the batch before left over.
    pub(crate) fn poll_sealed(&mut self, buffer: &mut [u8]) -> Option<Packets<R>> {
        let (route, packet) = self.sealed.take()?;
        let len = packet.len();
        buffer.get_mut(..len)?.copy_from_slice(&packet);
        let segment_size = len;
        Some(Packets {
            route,
            len,
            segment_size,
        })
    }

    /// Fills a batch for a route with packets of one length, as many as there are; `seal` makes one at the start of
    /// its place.
    pub(crate) fn poll(
        &mut self,
        route: R,
        buffer: &mut [u8],
        mut seal: impl FnMut(&mut [u8], &RelayFrame<'_>) -> Option<usize>,
    ) -> Option<Packets<R>> {
        let first_len = self.queue.next_len()?;
        let (mut len, mut segment_size) = (0, 0);
        for _ in 0..limits::BATCH_SEGMENTS {
            if self.queue.next_len().is_none_or(|len| len > first_len) {
                break;
            }
            let Some((channel, datagram)) = self.queue.pop() else {
                break;
            };
            let frame = RelayFrame {
                channel,
                datagram: &datagram,
            };
            let Some(room) = buffer.get_mut(len..) else {
                break;
            };
            let Some(packet_len) = seal(room, &frame) else {
                break;
            };
            if segment_size != 0 && packet_len > segment_size {
                let packet = room.get(..packet_len).unwrap_or_default();
                self.sealed = Some((route, packet.to_vec()));
                break;
            }
            segment_size = segment_size.max(packet_len);
            len += packet_len;
            if packet_len < segment_size || len + segment_size > buffer.len() {
                break;
            }
        }
        (len > 0).then_some(Packets {
            route,
            len,
            segment_size,
        })
    }

    /// How many datagrams wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: u8 = 5;

    fn datagram(len: usize) -> Bytes {
        Bytes::from(vec![7; len])
    }

    /// A packet is its datagram behind a header of so many bytes.
    fn seal(header: usize) -> impl FnMut(&mut [u8], &RelayFrame<'_>) -> Option<usize> {
        move |room, frame| {
            let len = header + frame.datagram.len();
            room.get_mut(header..len)?.copy_from_slice(frame.datagram);
            Some(len)
        }
    }

    #[test]
    fn equal_datagrams_share_a_batch_and_a_longer_one_waits() {
        let mut relayed = Relayed::default();
        for len in [100, 100, 40, 200] {
            assert!(relayed.push(1, datagram(len)));
        }
        let mut buffer = [0; 4_096];
        let batch = |len, segment_size| {
            Some(Packets {
                route: ROUTE,
                len,
                segment_size,
            })
        };
        assert_eq!(
            relayed.poll(ROUTE, &mut buffer, seal(10)),
            batch(110 + 110 + 50, 110)
        );
        assert_eq!(relayed.poll(ROUTE, &mut buffer, seal(10)), batch(210, 210));
        assert_eq!(relayed.poll(ROUTE, &mut buffer, seal(10)), None);
        assert!(!relayed.waits());
    }

    #[test]
    fn a_packet_that_turns_out_longer_than_its_batch_leaves_alone() {
        let mut relayed = Relayed::default();
        (0..2).for_each(|_| assert!(relayed.push(1, datagram(100))));
        let (mut buffer, mut header) = ([0; 4_096], 9);
        let grows = |room: &mut [u8], frame: &RelayFrame<'_>| {
            header += 1;
            seal(header)(room, frame)
        };
        let single = |len| Packets {
            route: ROUTE,
            len,
            segment_size: len,
        };
        assert_eq!(relayed.poll(ROUTE, &mut buffer, grows), Some(single(110)));
        assert!(relayed.waits(), "it is sealed and must not be lost");
        assert_eq!(relayed.poll_sealed(&mut buffer), Some(single(111)));
        assert!(!relayed.waits());
    }

    /// Strangers who flood a channel fill no memory.
    #[test]
    fn the_queue_is_bounded_in_bytes_and_full_again_only_after_it_was_emptied() {
        let mut relayed = Relayed::default();
        let taken = (0..10_000).filter(|_| relayed.push(1, datagram(1_000)));
        assert_eq!(taken.count(), limits::RELAY_QUEUE_BYTES / 1_000);
        assert!(!relayed.push(1, datagram(1_000)));
        let mut buffer = [0; 4_096];
        assert!(relayed.poll(ROUTE, &mut buffer, seal(10)).is_some());
        assert!(relayed.push(1, datagram(1_000)));
        relayed.clear();
        let taken = (0..10_000).filter(|_| relayed.push(1, datagram(1_000)));
        assert_eq!(taken.count(), limits::RELAY_QUEUE_BYTES / 1_000);
    }

    #[test]
    fn what_cannot_be_sealed_is_given_up() {
        let mut relayed = Relayed::default();
        assert!(relayed.push(1, datagram(100)));
        let mut buffer = [0; 50];
        assert_eq!(relayed.poll(ROUTE, &mut buffer, seal(10)), None);
        assert!(!relayed.waits());
    }
}
