//! The door without a node: two doors, and facts as a node would hold them.

use core::net::SocketAddr;

use super::admission::{Decision, Facts, Policy, decide};
use super::{Door, Dropped, First, GuestLimits, Knock, Third};
use crate::api::{Roles, Strangers};
use crate::identity::Identity;
use crate::limits;
use crate::path::Route;
use crate::rng::Rng;
use crate::session::Initiator;
use crate::time::{Duration, Instant};

const NOW: Instant = Instant::EPOCH;
const OPEN: Policy = Policy {
    strangers: Strangers::Public,
    roles: Roles {
        introducer: false,
        relay: false,
        stun: false,
    },
    capabilities: 0,
};
const CLOSED: Policy = Policy {
    strangers: Strangers::Refuse,
    ..OPEN
};

fn identity(n: u8) -> Identity {
    Identity::from_seeds(&[n; 32], &[n ^ 0x55; 32], 5).expect("seeds that make keys")
}

fn door(n: u8, policy: Policy) -> Door {
    let rng = Rng::from_seed([n; 32]);
    let guests = GuestLimits {
        most: 10,
        per_source: 10,
    };
    Door::new(NOW, identity(n), "lab".to_owned(), (policy, guests, 0), rng)
}

fn route() -> Route {
    Route::to(SocketAddr::from(([198, 51, 100, 7], 6660)))
}

/// A handshake of door `n` with door `m`, whose record it knows or not.
fn initiate(door: &mut Door, index: u32, m: u8, knows_record: bool, association: u64) -> Initiator {
    let theirs = identity(m);
    let record = knows_record.then(|| theirs.record());
    let initiator = door.initiate(NOW, index, (theirs.node_id(), record), association);
    initiator.expect("keys that are keys")
}

/// What the door makes of an `IK` initiation from one of whom it knows `facts`.
fn knock(door: &mut Door, datagram: &[u8], facts: &Facts) -> Knock {
    match door.on_ik_initiation(NOW, route(), datagram) {
        Knock::Caller(request) => door.answer(NOW, (route(), datagram), *request, facts, || 77),
        other => other,
    }
}

fn why(knock: &Knock) -> Option<Dropped> {
    match knock {
        Knock::Dropped(why) => Some(*why),
        _ => None,
    }
}

/// A caller whose static key is larger than ours, and one whose key is smaller.
fn by_key(ours: &Identity) -> (Identity, Identity) {
    let larger = |i: &Identity| i.static_public() > ours.static_public();
    let others = || (20..60).map(identity);
    let found = (others().find(larger), others().find(|i| !larger(i)));
    (
        found.0.expect("one of forty"),
        found.1.expect("one of forty"),
    )
}

#[test]
fn callers_are_let_in_by_what_is_known_of_them() {
    let ours = identity(1);
    let (larger, smaller) = by_key(&ours);
    let stranger = Facts::default();
    let known = Facts {
        is_known: true,
        newest_sequence: 5,
        ..stranger
    };
    let handshake = Facts {
        is_handshaking: true,
        ..known
    };
    let unheard = Facts {
        is_unconfirmed_handshake: true,
        ..known
    };
    let rolled_back = Facts {
        newest_sequence: 6,
        ..known
    };
    let introducer = Policy {
        roles: Roles::ALL,
        ..CLOSED
    };
    let on = |policy: &Policy, caller: &Identity, facts: &Facts| {
        decide(policy, ours.static_public(), caller.record(), facts)
    };
    assert_eq!(on(&OPEN, &larger, &stranger), Decision::Admit);
    assert_eq!(on(&CLOSED, &larger, &stranger), Decision::Refuse);
    assert_eq!(on(&introducer, &larger, &stranger), Decision::Admit);
    assert_eq!(on(&CLOSED, &larger, &known), Decision::Admit, "no stranger");
    for caller in [&larger, &smaller] {
        assert_eq!(on(&OPEN, caller, &rolled_back), Decision::Refuse);
    }
    // Where both call, the larger static key answers and the smaller one's handshake goes on.
    assert_eq!(on(&OPEN, &larger, &handshake), Decision::OursFirst);
    assert_eq!(on(&OPEN, &smaller, &handshake), Decision::Admit);
    assert_eq!(on(&OPEN, &larger, &unheard), Decision::Refuse);
    assert_eq!(on(&OPEN, &smaller, &unheard), Decision::Admit);
}

#[test]
fn an_answer_is_repeated_and_costs_one_half_open_handshake() {
    let (mut ada, mut ben) = (door(1, OPEN), door(2, OPEN));
    let initiator = initiate(&mut ada, 11, 2, true, 0);
    let first = knock(&mut ben, initiator.datagram(), &Facts::default());
    let Knock::Answered {
        index: 77, answer, ..
    } = first
    else {
        panic!("a stranger is answered where strangers are wanted");
    };
    let again = ben.on_ik_initiation(NOW, route(), initiator.datagram());
    assert!(matches!(again, Knock::Repeated(repeated) if repeated == answer));
    assert_eq!((ben.half_open(), ben.computed()), (1, 1));
    let retired = ben.expire(NOW + limits::PROVISIONAL_LIFE + Duration::from_secs(1));
    assert_eq!(retired, [77]);
    assert_eq!(ben.half_open(), 0);
}

#[test]
fn nobody_unwanted_costs_anything_that_stays() {
    let (mut ada, mut ben) = (door(1, OPEN), door(2, CLOSED));
    let ik = initiate(&mut ada, 11, 2, true, 0);
    let refused = knock(&mut ben, ik.datagram(), &Facts::default());
    assert_eq!(why(&refused), Some(Dropped::Refused));
    let xx = initiate(&mut ada, 12, 2, false, 0);
    let closed = ben.on_xx_first(NOW, route(), xx.datagram(), || 77);
    assert_eq!(why(&closed), Some(Dropped::Unknown));
    let for_another = initiate(&mut ada, 13, 3, true, 0);
    let wrong = knock(&mut ben, for_another.datagram(), &Facts::default());
    assert_eq!(why(&wrong), Some(Dropped::WrongMac));
    assert_eq!((ben.half_open(), ben.computed()), (0, 1));
}

#[test]
fn what_was_resumed_ends_where_the_association_did() {
    let (mut ada, mut ben) = (door(1, OPEN), door(2, OPEN));
    let initiator = initiate(&mut ada, 11, 2, true, 42);
    let held = Facts {
        is_known: true,
        association: 42,
        ..Facts::default()
    };
    assert!(matches!(
        knock(&mut ben, initiator.datagram(), &held),
        Knock::Answered { .. }
    ));
    let ended = Facts {
        association: 43,
        ..held
    };
    let mut packet = [0xC0; 64];
    let first = ben.on_first_packet(NOW, 77, &mut packet, &ended);
    assert!(matches!(first, First::Ended(Some(77))));
    assert_eq!(ben.half_open(), 0);
}

#[test]
fn a_packet_that_does_not_open_confirms_nothing() {
    let (mut ada, mut ben) = (door(1, OPEN), door(2, OPEN));
    let initiator = initiate(&mut ada, 11, 2, true, 0);
    knock(&mut ben, initiator.datagram(), &Facts::default());
    let caller = ben.caller_of(77);
    assert_eq!(caller, Some(identity(1).node_id()));
    let mut packet = [0xC0; 64];
    let first = ben.on_first_packet(NOW, 77, &mut packet, &Facts::default());
    assert!(matches!(first, First::Dropped(Dropped::Unauthentic)));
    let later_handshake = Facts {
        is_known: true,
        initiated_since: Some(NOW + Duration::from_millis(1)),
        ..Facts::default()
    };
    let first = ben.on_first_packet(NOW, 77, &mut packet, &later_handshake);
    assert!(matches!(first, First::Dropped(Dropped::Unknown)));
    assert_eq!(ben.half_open(), 1, "the genuine packet may still come");
}

#[test]
fn who_calls_by_id_alone_is_identified_by_its_third_datagram() {
    let (mut ada, mut ben) = (door(1, OPEN), door(2, OPEN));
    let mut initiator = initiate(&mut ada, 11, 2, false, 0);
    let first = ben.on_xx_first(NOW, route(), initiator.datagram(), || 77);
    let Knock::Answered { answer, .. } = first else {
        panic!("XX is answered where strangers are wanted");
    };
    let established = initiator.on_response(&answer, ada.records());
    let third = established.expect("a genuine answer").final_datagram;
    let third = third.expect("XX has a third datagram");
    let Third::Identified(confirmed) = ben.on_xx_third(NOW, route(), 77, &third) else {
        panic!("the third datagram tells who it is");
    };
    assert_eq!(confirmed.remote.id, identity(1).node_id());
    assert_eq!(ben.half_open(), 0);
    let newer = Facts {
        is_known: true,
        newest_sequence: confirmed.remote.sequence + 1,
        ..Facts::default()
    };
    let refused = ben.admits_identified(&confirmed.remote, &newer);
    assert_eq!(refused, Err(Dropped::Unauthentic));
    let welcome = ben.admits_identified(&confirmed.remote, &Facts::default());
    assert_eq!(welcome, Ok(()));
}
