//! A million random datagrams into a live introducer of either kind, over a real socket: nothing answers, nothing
//! grows, nobody is disturbed. Alone in its process, so that the process's memory is the nodes' memory.

use std::fs;
use std::net::{SocketAddr, UdpSocket};

use p2p_core::api::Roles;
use p2p_tests::api::eventually;
use p2p_tests::nodes::{Folder, Kind, TestNode, Wish, start};
use serde_json::{Value, json};

/// Datagrams that the introducer has to have read.
const FLOOD: u64 = 1_000_000;
/// Datagrams before memory is looked at: tables that exist once come into being.
const WARM_UP: u64 = 100_000;
/// Sent before the socket's buffer is given time to empty.
const BURST: u64 = 64;
/// Growth of the whole process that counts as none: allocators keep pages, threads touch their stacks.
const GROWTH_KIB: u64 = 8 << 10;

fn node(kind: Kind, folder: &Folder, change: impl FnOnce(&mut Wish)) -> TestNode {
    let mut wish = Wish::new(folder.path());
    change(&mut wish);
    start(kind, &wish).unwrap_or_else(|error| panic!("does not start: {error}"))
}

fn resident_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn facts(node: &TestNode) -> Value {
    node.api.get("/v1/node").expect(200).json()
}

fn counter(node: &TestNode, name: &str) -> u64 {
    facts(node)["counters"][name].as_u64().expect("a counter")
}

/// Random bytes of random lengths; a third starts like something of ours.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn fill(&mut self, buffer: &mut [u8; 320]) -> usize {
        for piece in buffer.chunks_mut(8) {
            piece.copy_from_slice(&self.next().to_le_bytes());
        }
        let kinds = [
            0x00, 0x7B, 0x80, 0x81, 0x82, 0x83, 0x84, 0x88, 0x8F, 0xC0, 0xE3,
        ];
        let choice = self.next() as usize;
        if choice.is_multiple_of(3) {
            buffer[0] = kinds[choice / 3 % kinds.len()];
        }
        choice / 64 % buffer.len()
    }
}

fn flood(introducer: &TestNode, count: u64) {
    let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("binds");
    let (mut noise, mut buffer) = (Noise(0x9E37_79B9_7F4A_7C15), [0; 320]);
    let mut sent = 0;
    let before = counter(introducer, "datagrams_received");
    while counter(introducer, "datagrams_received") - before < count {
        for _ in 0..200 {
            for _ in 0..BURST {
                let length = noise.fill(&mut buffer);
                // A full buffer drops; whoever floods does not care.
                let _ = socket.send_to(&buffer[..length], introducer.udp);
                sent += 1;
            }
            std::thread::yield_now();
        }
        assert!(sent < 50 * FLOOD, "the introducer does not read");
    }
}

fn check(kind: Kind) {
    let folders = [Folder::new(), Folder::new(), Folder::new()];
    let introducer = node(kind, &folders[0], |w| w.roles = Roles::ALL);
    let peer = |name: &str, folder| {
        node(kind, folder, |w| {
            w.name = Some(name.to_owned());
            w.introducers = vec![introducer.introducer_address()];
        })
    };
    let (ada, ben) = (peer("ada", &folders[1]), peer("ben", &folders[2]));
    eventually("both are registered", || {
        (facts(&introducer)["directory_entries"] == 2).then_some(())
    });
    let connect = format!("/v1/peers/ben@{}/connect", introducer.id);
    let _ = ada.api.post_json(&connect, &json!({})).expect(200);
    flood(&introducer, WARM_UP);
    let sessions = counter(&introducer, "sessions_established");
    let memory = resident_kib();
    flood(&introducer, FLOOD);
    assert_eq!(
        counter(&introducer, "sessions_established"),
        sessions,
        "no session more"
    );
    assert_eq!(
        facts(&introducer)["directory_entries"],
        2,
        "nobody was pushed out"
    );
    if let Some((before, after)) = memory.zip(resident_kib()) {
        println!("{kind:?}: {before} KiB before, {after} KiB after a million");
        assert!(
            after < before + GROWTH_KIB,
            "grew from {before} to {after} KiB"
        );
    }
    let found = ada.api.get("/v1/search?q=ben").expect(200).json();
    assert_eq!(
        found["items"][0]["id"],
        ben.id.to_string(),
        "the introducer still serves"
    );
}

#[test]
fn a_million_random_datagrams_leave_no_trace() {
    check(Kind::Smol);
    check(Kind::Threads);
}
