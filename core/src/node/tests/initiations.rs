//! First datagrams of handshakes: old ones that come again, and new ones in masses (protocol §3.5, §3.6).

use bytes::Bytes;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::rush::Caller;
use super::strangers::identity;
use super::{
    Fate, Net, address, call, client, count, introducer_config, is_connected_event,
    is_disconnected_event, pair,
};
use crate::api::{Command, Engine, Event, IntroducerState};
use crate::id::NodeId;
use crate::identity::Identity;
use crate::limits;
use crate::rng::Rng;
use crate::session::{Initiator, LocalOffer, RESUME};
use crate::time::Duration;

const COOKIE_REPLY: u8 = 0x88;

/// An `IK` initiation for node `to`, of whoever has these keys.
fn initiate(net: &mut Net, to: u8, who: &Identity, stamp: u64, rng: &mut Rng) -> Initiator {
    let offer = LocalOffer {
        index: rng.next_u32(),
        association: 1 + rng.next_u64() / 2,
        reset_token: rng.array(),
        capabilities: 0,
        stamp,
    };
    let door = &net.node(to).endpoint.door;
    let (network, record) = (door.network().to_owned(), door.identity().record().clone());
    Initiator::new_ik(who, &network, &record, offer, rng).expect("a handshake")
}

/// Says `bytes` to node `to` and takes what it answers to this source at once.
fn say(net: &mut Net, to: u8, source: SocketAddr, bytes: &[u8]) -> Vec<Vec<u8>> {
    let (now, mut buffer) = (net.now, vec![0; 65_536]);
    net.drain();
    let node = net.node(to);
    node.handle_datagram(now, source, &mut bytes.to_vec());
    let (mut answers, mut others) = (Vec::new(), Vec::new());
    while let Some(t) = node.poll_transmit(now, &mut buffer) {
        let bytes = buffer[..t.len].chunks(t.segment_size).map(<[u8]>::to_vec);
        match t.to == source {
            true => answers.extend(bytes),
            false => others.extend(bytes.map(|bytes| (t.to, bytes))),
        }
    }
    for (other, bytes) in others {
        net.send(address(to), other, bytes);
    }
    answers
}

/// Says an initiation, and again with the cookie where one is asked for. The kinds of all answers.
fn call_with_cookie(
    net: &mut Net,
    to: u8,
    source: SocketAddr,
    initiator: &mut Initiator,
) -> Vec<u8> {
    let mut answers = say(net, to, source, initiator.datagram());
    let first = answers.first().cloned();
    if let Some(cookie) = first.filter(|bytes| bytes[0] == COOKIE_REPLY) {
        initiator.on_cookie(&cookie).expect("a genuine cookie");
        answers.extend(say(net, to, source, initiator.datagram()));
    }
    answers.iter().map(|bytes| bytes[0]).collect()
}

/// Where copies come from.
#[derive(Clone, Copy, Debug)]
enum Hosts {
    /// Another address each time.
    Changing,
    /// So many hosts at addresses of their own, which take cookies.
    Fixed(u32),
}

/// Ben, and eight initiations that ada made long ago, which somebody has kept and says again.
struct Copies {
    old: Vec<Initiator>,
    hosts: Hosts,
    per_s: u64,
    said: u32,
}

impl Copies {
    fn new(net: &mut Net, per_s: u64, hosts: Hosts) -> Self {
        let ada = Identity::from_seeds(&[2; 32], &[102; 32], 1).expect("a key");
        let mut rng = Rng::from_seed([9; 32]);
        let old = (1..=8)
            .map(|stamp| initiate(net, 3, &ada, stamp, &mut rng))
            .collect();
        Self {
            old,
            hosts,
            per_s,
            said: 0,
        }
    }

    /// Says copies for a while of virtual time.
    fn run(&mut self, net: &mut Net, span: Duration) {
        if self.per_s == 0 {
            return net.run(span);
        }
        let end = net.now + span;
        while net.now < end {
            self.said += 1;
            let place = self.said as usize % self.old.len();
            let host = match self.hosts {
                Hosts::Changing => self.said,
                Hosts::Fixed(most) => self.said % most,
            };
            let source = SocketAddr::from((Ipv4Addr::from_bits(0x2c00_0000 + host), 4_000));
            call_with_cookie(net, 3, source, &mut self.old[place]);
            net.run(Duration::from_micros(1_000_000 / self.per_s));
        }
    }
}

fn with_round_trip(net: &mut Net, ms: u64) {
    net.set_tap(move |_, _| Fate::Late(Duration::from_millis(ms / 2 - 1)));
}

#[test]
fn sec_08_old_initiations_said_again_do_not_stop_a_new_connection() {
    for per_s in [0, 40, 100, 400] {
        let (mut net, ada, ben) = pair();
        with_round_trip(&mut net, 80);
        let mut copies = Copies::new(&mut net, per_s, Hosts::Changing);
        copies.run(&mut net, Duration::from_secs(1));
        call(&mut net, 2, 3);
        copies.run(&mut net, Duration::from_millis(150));
        assert!(
            net.is_connected(3, &ada) && net.is_connected(2, &ben),
            "{per_s}/s"
        );
    }
}

fn send(net: &mut Net, n: u8, peer: NodeId) {
    let data = Bytes::from_static(b"hello");
    let order = Command::SendMessage {
        peer,
        label: 0.into(),
        data,
        deadline: None,
    };
    net.order(n, order);
}

/// A message a second both ways through two renewals of the keys, around which copies come.
fn assert_lives(per_s: u64, round_trip_ms: u64, hosts: Hosts) {
    let what = format!("{per_s}/s, {round_trip_ms} ms, {hosts:?}");
    let (mut net, ada, ben) = pair();
    with_round_trip(&mut net, round_trip_ms);
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    let mut copies = Copies::new(&mut net, per_s, hosts);
    let seconds = 250;
    for second in 0..seconds {
        send(&mut net, 2, ben);
        send(&mut net, 3, ada);
        let is_near_renewal = (114..126).contains(&(second % 120 + 6));
        match is_near_renewal {
            true => copies.run(&mut net, Duration::from_secs(1)),
            false => net.run(Duration::from_secs(1)),
        }
    }
    net.run(Duration::from_secs(2));
    for id in [ada, ben] {
        let events = net.events_of(id);
        assert_eq!(count(&events, is_disconnected_event), 0, "{what}");
        assert_eq!(count(&events, is_connected_event), 1, "{what}");
        let ready = count(&events, |e| matches!(e, Event::MessageReady { .. }));
        assert_eq!(ready, seconds, "{what}");
    }
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    assert!(copies.said > 0 || per_s == 0, "{what}");
}

#[test]
fn sec_08_old_initiations_from_changing_addresses_end_no_live_session() {
    for per_s in [0, 40, 100, 400] {
        assert_lives(per_s, 80, Hosts::Changing);
    }
}

#[test]
fn sec_08_old_initiations_from_ordinary_hosts_end_no_live_session() {
    for round_trip_ms in [80, 200, 300] {
        assert_lives(20, round_trip_ms, Hosts::Fixed(1));
    }
    assert_lives(60, 80, Hosts::Fixed(3));
}

/// Copies in every order find the genuine answer waiting, and it stays.
#[test]
fn of_one_identity_the_newest_initiation_stays() {
    let (mut net, ..) = pair();
    let (who, mut rng) = (identity(1), Rng::from_seed([4; 32]));
    let mut calls: Vec<_> = (1..=4)
        .map(|stamp| initiate(&mut net, 3, &who, 10 * stamp, &mut rng))
        .collect();
    let mut source = 0_u32;
    let mut kinds = |net: &mut Net, call: &mut Initiator| {
        source += 1;
        let from = SocketAddr::from((Ipv4Addr::from_bits(0x2c00_0000 + source), 4_000));
        call_with_cookie(net, 3, from, call)
    };
    assert_eq!(kinds(&mut net, &mut calls[1]), [0x81]);
    let older = kinds(&mut net, &mut calls[0]);
    assert!(older.is_empty(), "older than what is there");
    assert_eq!(
        kinds(&mut net, &mut calls[1]),
        [0x81],
        "the same answer again"
    );
    assert_eq!(kinds(&mut net, &mut calls[3]), [0x81], "newer");
    assert!(kinds(&mut net, &mut calls[2]).is_empty());
    assert_eq!(net.node(3).endpoint.door.half_open(), 1);
    assert_eq!(net.node(3).counters.dropped_replayed, 2);
}

/// A flood that resumes and one that begins do not shut an introducer to those who come.
#[test]
fn half_open_handshakes_that_resume_leave_room_for_newcomers() {
    let mut net = Net::new();
    let mut config = introducer_config();
    config.network = "p2p".to_owned();
    let introducer = net.add(1, config);
    let mut rng = Rng::from_seed([6; 32]);
    let mut sessions = Vec::new();
    for n in 0..260 {
        let mut caller = Caller::new(n, introducer, &mut rng);
        let third = caller.third(&mut net).expect("an answer");
        caller.say(&mut net, &third);
        sessions.push((caller.who, caller.association.expect("told")));
        net.now += Duration::from_millis(2);
    }
    let record = net.node(1).endpoint.door.identity().record().clone();
    for round in 0..4 {
        for (n, (who, association)) in (0..).zip(&sessions) {
            let offer = LocalOffer {
                index: rng.next_u32(),
                association: *association,
                reset_token: rng.array(),
                capabilities: RESUME,
                stamp: 100 + round,
            };
            let call = Initiator::new_ik(who, "p2p", &record, offer, &mut rng).expect("a call");
            let from = SocketAddr::from((Ipv4Addr::from_bits(0x2d00_0000 + n), 4_000));
            say(&mut net, 1, from, call.datagram());
        }
        net.now += Duration::from_millis(250);
    }
    assert_eq!(net.node(1).endpoint.door.half_open(), 260, "one for each");
    for (n, name) in [(2, "ada"), (3, "ben"), (4, "cem")] {
        with_round_trip(&mut net, 80);
        net.add(n, client(n, name, introducer));
        for firsts in 0..20_u32 {
            let who = Caller::new(1_000 + 20 * u32::from(n) + firsts, introducer, &mut rng);
            let from = SocketAddr::from(([44, 1, 0, (firsts % 2) as u8], 4_000));
            say(&mut net, 1, from, who.initiator.datagram());
            net.run(Duration::from_millis(50));
        }
        let now = net.now;
        let state = net.node(n).status(now).introducers[0].state;
        assert_eq!(state, IntroducerState::Registered, "{name}");
    }
}

/// All /64 of one /48 together have the budget of one network, cookies or not.
#[test]
fn a_48_that_shows_cookies_computes_little_and_others_go_on() {
    let (mut net, ada, ben) = pair();
    let (who, mut rng) = (identity(1), Rng::from_seed([7; 32]));
    let mut stamp = 1;
    // The budget without cookies is used up, so that everybody needs one.
    for n in 0..limits::HANDSHAKES_BEFORE_COOKIES_PER_S {
        let from = SocketAddr::from((Ipv4Addr::from_bits(0x2e00_0000 + n), 4_000));
        stamp += 1;
        let call = initiate(&mut net, 3, &who, stamp, &mut rng);
        say(&mut net, 3, from, call.datagram());
    }
    let before = net.node(3).endpoint.door.computed();
    for n in 0..4_000_u16 {
        let ip = Ipv6Addr::from([0x2001, 0xdb8, 0, n % 1_000, 0, 0, 0, 1]);
        stamp += 1;
        let mut initiator = initiate(&mut net, 3, &who, stamp, &mut rng);
        call_with_cookie(&mut net, 3, (ip, 4_000).into(), &mut initiator);
        net.now += Duration::from_micros(250);
        if n == 2_000 {
            call(&mut net, 2, 3);
        }
    }
    net.run(Duration::from_millis(10));
    let computed = net.node(3).endpoint.door.computed() - before;
    let share = u64::from(limits::HANDSHAKES_PER_NETWORK_PER_S);
    let unproved = u64::from(limits::HANDSHAKES_BEFORE_COOKIES_PER_S);
    assert!(
        (share..=2 * share + unproved + 10).contains(&computed),
        "{computed}"
    );
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
}
