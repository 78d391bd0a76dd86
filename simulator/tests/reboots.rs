//! What a stream suffers where a box between two nodes forgets everything, on either side (docs/protocol.md §9.4).

use core::time::Duration;

use p2p_simulator::scenarios::{meet, trio};
use p2p_simulator::{Nat, StreamHandle, Who, World, ms, secs};

/// A pair in the middle of a stream of 200 kB/s from the first to the second.
struct Transfer {
    world: World,
    pair: [Who; 2],
    stream: StreamHandle,
    content: Vec<u8>,
}

fn transfer(nats: [&[Nat]; 2], moment: Duration) -> Transfer {
    let world = World::seeded(1).latency(ms(20));
    let (mut world, [_, alice, bob]) = trio(world, nats[0], nats[1]);
    meet(&mut world, alice, bob);
    world.run_for(secs(5));
    let stream = world.open_stream_to(alice, bob);
    let content: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
    world.change_link(alice, |l| {
        l.rate_bytes_per_s = Some(200_000);
        l.queue_bytes = 16_384;
    });
    world.write(alice, stream, &content);
    world.finish(alice, stream);
    world.run_for(secs(3) + moment);
    assert!(!world.has_ended(bob, stream), "in the middle of it");
    Transfer {
        world,
        pair: [alice, bob],
        stream,
        content,
    }
}

impl Transfer {
    /// The longest time without a new byte at the receiver, until all is there.
    fn longest_stall(&mut self) -> Duration {
        let bob = self.pair[1];
        let (mut longest, mut last) = (Duration::ZERO, (self.world.now(), 0));
        let end = self.world.now() + secs(180);
        while !self.world.has_ended(bob, self.stream) {
            assert!(self.world.now() < end, "it never ends");
            self.world.run_for(ms(10));
            let now = self.world.now();
            let received = self.world.received(bob, self.stream).len();
            if received != last.1 {
                last = (now, received);
            }
            longest = longest.max(now.saturating_since(last.0));
        }
        assert!(self.world.received(bob, self.stream) == self.content);
        longest
    }
}

/// Protocol §9.4: on whichever side the box is and whatever it is, the stream stands still for less than a second.
#[test]
fn a_box_that_forgets_everything_stops_a_stream_for_less_than_a_second() {
    let kinds = [
        ("port-restricted", Nat::port_restricted()),
        ("address-restricted", Nat::address_restricted()),
        ("symmetric", Nat::symmetric()),
    ];
    let pairs = kinds.iter().flat_map(|a| kinds.iter().map(move |b| (a, b)));
    for ((first, from), (second, to)) in pairs {
        for side in [0, 1] {
            for moment_ms in [0, 390, 780, 1_170] {
                let mut transfer = transfer([&[*from], &[*to]], ms(moment_ms));
                transfer.world.reboot_nat(transfer.pair[side]);
                let stall = transfer.longest_stall();
                assert!(
                    stall < secs(1),
                    "{first} to {second}, side {side}, {moment_ms} ms: {stall:?}"
                );
            }
        }
    }
}
