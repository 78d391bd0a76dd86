//! Contacts and names: what the owner of a node says and finds counts, what peers say of themselves does not.

mod world;

use core::time::Duration;

use p2p_core::api::Roles;
use serde_json::Value;
use world::{ADA, BEN, INTRODUCER, World, ask, config};

/// An id that nobody in the world has.
fn other(n: u8) -> String {
    let node = p2p_core::Node::new(config(n), p2p_core::time::Instant::EPOCH);
    p2p_core::api::Engine::id(&node.expect("valid")).to_string()
}

/// Another node that registers as ben once the first has gone.
const EVE: u8 = 4;

fn contacts(world: &mut World, n: u8) -> Vec<Value> {
    let list = world.get(n, ask("GET", "/v1/contacts"));
    assert_eq!(list.status, 200, "{}", list.text());
    list.json()["items"].as_array().expect("a list").clone()
}

fn peer(world: &mut World, n: u8, id: &str) -> Value {
    world.get(n, ask("GET", &format!("/v1/peers/{id}"))).json()
}

#[test]
fn who_is_looked_up_is_a_contact_and_who_calls_only_says_a_name() {
    let mut world = World::connected();
    let (ada, ben) = (world.id(ADA), world.id(BEN));
    let list = contacts(&mut world, ADA);
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(
        (&list[0]["id"], &list[0]["trust"]),
        (&ben.clone().into(), &"found".into())
    );
    assert_eq!(list[0]["names"][0]["name"], "ben");
    assert_eq!(list[0]["names"][0]["introducer"], world.id(INTRODUCER));
    let seen = peer(&mut world, ADA, &ben);
    assert_eq!(
        (&seen["name"], &seen["name_kind"]),
        (&"ben".into(), &"found".into())
    );

    assert_eq!(contacts(&mut world, BEN), Vec::<Value>::new());
    let seen = peer(&mut world, BEN, &ada);
    assert_eq!(
        (&seen["name"], &seen["name_kind"]),
        (&"ada".into(), &"claimed".into())
    );
    assert_eq!(seen["trust"], "stranger");
    let to_a_claim = world.get(BEN, ask("POST", "/v1/peers/ada/messages").body("x"));
    assert_eq!(to_a_claim.code(), "peer_not_found");
}

#[test]
fn a_petname_is_the_owners_and_nobody_looks_like_it() {
    let mut world = World::connected();
    let (ada, ben) = (world.id(ADA), world.id(BEN));
    let put = |id: &str, body: &str| ask("PUT", &format!("/v1/contacts/{id}")).json(body);
    let made = world.get(
        BEN,
        put(&ada, r#"{"petname":"my sister","trust":"verified"}"#),
    );
    assert_eq!(
        (made.status, &made.json()["trust"]),
        (201, &"verified".into())
    );
    let seen = peer(&mut world, BEN, "my%20sister");
    assert_eq!(
        (&seen["id"], &seen["name_kind"]),
        (&ada.clone().into(), &"petname".into())
    );
    // What it is called elsewhere stays a claim.
    assert_eq!(contacts(&mut world, BEN)[0]["claimed_name"], "ada");

    let twin = world.get(BEN, put(&other(7), r#"{"petname":"rny sister"}"#));
    assert_eq!(twin.code(), "petname_taken");
    assert_eq!(twin.json()["contact"], ada);
    for wrong in [
        r#"{"petname":"a@b"}"#,
        r#"{"trust":"found"}"#,
        r#"{"trust":"friend"}"#,
    ] {
        assert_eq!(
            world.get(BEN, put(&ada, wrong)).code(),
            "invalid_body",
            "{wrong}"
        );
    }
    assert_eq!(world.get(BEN, put(&ben, "{}")).code(), "own_id");
    let none = world.get(BEN, put(&ada, r#"{"petname":""}"#));
    assert_eq!((none.status, &none.json()["petname"]), (200, &Value::Null));
    assert_eq!(none.json()["trust"], "verified", "what is left out stays");

    // A block taken back leaves a contact what it was; forgetting leaves nothing.
    let path = format!("/v1/contacts/{ada}");
    for what in ["block", "unblock"] {
        let answer = world.get(BEN, ask("POST", &format!("{path}/{what}")));
        assert_eq!(
            (answer.status, &answer.json()["blocked"]),
            (200, &(what == "block").into())
        );
    }
    assert_eq!(contacts(&mut world, BEN)[0]["trust"], "verified");
    assert_eq!(world.get(BEN, ask("DELETE", &path)).status, 204);
    assert_eq!(
        world.get(BEN, ask("GET", &path)).code(),
        "contact_not_found"
    );
}

#[test]
fn a_blocked_peer_is_cut_off_and_not_called() {
    let mut world = World::connected();
    let ada = world.id(ADA);
    let path = format!("/v1/contacts/{ada}");
    let blocked = world.get(BEN, ask("POST", &format!("{path}/block")));
    assert_eq!(
        (blocked.status, &blocked.json()["blocked"]),
        (200, &true.into())
    );
    world.run(Duration::from_secs(1));
    let again = world.get(ADA, ask("POST", "/v1/peers/ben/connect").json("{}"));
    assert_eq!(again.code(), "connect_refused");
    let call = ask("POST", &format!("/v1/peers/{ada}/connect")).json("{}");
    assert_eq!(world.get(BEN, call).code(), "peer_blocked");
    let free = world.get(BEN, ask("POST", &format!("{path}/unblock")));
    assert_eq!((free.status, &free.json()["blocked"]), (200, &false.into()));
    let again = world.get(ADA, ask("POST", "/v1/peers/ben/connect").json("{}"));
    assert_eq!(again.status, 200, "{}", again.text());
    // It was known for the block alone: nothing of it is kept that would make it more than a stranger.
    assert_eq!(
        world.get(BEN, ask("GET", &path)).code(),
        "contact_not_found"
    );
}

/// Ben's name is taken by somebody else while he is away.
fn taken() -> World {
    let mut world = World::connected();
    world.get(BEN, ask("DELETE", "/v1/introducers/10.0.0.1"));
    world.get(ADA, ask("DELETE", "/v1/peers/ben/connection"));
    // First key wins for 300 s longer than its registration lives.
    world.run(Duration::from_secs(1_000));
    let id = world.id(INTRODUCER);
    let mut eve = config(EVE);
    eve.name = Some("ben".to_owned());
    let place = format!("p2p://{id}@10.0.0.1:6660");
    eve.introducers = vec![place.parse().expect("an address")];
    world.add(EVE, eve);
    world.run(Duration::from_secs(2));
    world
}

#[test]
fn sec_06_a_name_that_changed_hands_is_refused_until_the_owner_says_otherwise() {
    let mut world = taken();
    let eve = world.id(EVE);
    for text in ["ben", "ben@10.0.0.1", "BEN"] {
        let call = ask("POST", &format!("/v1/peers/{text}/connect")).json("{}");
        assert_eq!(world.get(ADA, call).code(), "name_changed", "{text}");
    }
    // Eve was asked whether ada may come, and ada did not.
    let seen = peer(&mut world, EVE, &other(ADA));
    assert_ne!(seen["state"], "connected", "{seen}");
    let list = contacts(&mut world, ADA);
    assert_eq!(list[0]["names"][0]["refused"], eve);
    let search = world.get(ADA, ask("GET", "/v1/search?q=ben")).json();
    assert_eq!(search["items"][0]["known"], "differs");

    let rebind = format!("/v1/contacts/{eve}/names");
    let body = r#"{"name":"ben","introducer":"10.0.0.1"}"#;
    assert_eq!(world.get(ADA, ask("POST", &rebind).json(body)).status, 204);
    let call = world.get(ADA, ask("POST", "/v1/peers/ben/connect").json("{}"));
    assert_eq!((call.status, &call.json()["peer"]), (200, &eve.into()));
}

/// Two introducers give one name to two nodes.
#[test]
fn sec_06_a_name_of_two_is_asked_back() {
    let mut world = World::empty();
    let roles = |n| {
        let mut introducer = config(n);
        introducer.roles = Roles::ALL;
        introducer
    };
    let place = |id: p2p_core::id::NodeId, n: u8| {
        let place = format!("p2p://{id}@10.0.0.{n}:6660");
        place
            .parse::<p2p_core::api::IntroducerAddress>()
            .expect("an address")
    };
    let first = world.add(INTRODUCER, roles(INTRODUCER));
    let second = world.add(5, roles(5));
    let places = [place(first, INTRODUCER), place(second, 5)];
    for (n, at) in [(BEN, &places[..1]), (EVE, &places[1..]), (ADA, &places[..])] {
        let mut config = config(n);
        config.name = Some(if n == ADA { "ada" } else { "ben" }.to_owned());
        config.introducers = at.to_vec();
        world.add(n, config);
    }
    world.run(Duration::from_secs(2));
    let (ben, eve) = (world.id(BEN), world.id(EVE));
    for _ in 0..2 {
        let call = world.get(ADA, ask("POST", "/v1/peers/ben/connect").json("{}"));
        assert_eq!((call.status, call.code().as_str()), (409, "peer_ambiguous"));
    }
    for (host, id) in [("10.0.0.1", ben), ("10.0.0.5", eve)] {
        let call = ask("POST", &format!("/v1/peers/ben@{host}/connect")).json("{}");
        let answer = world.get(ADA, call);
        assert_eq!(
            (answer.status, &answer.json()["peer"]),
            (200, &id.into()),
            "{host}"
        );
    }
}

#[test]
fn what_cannot_be_written_is_not_said_to_be_kept() {
    let mut world = World::alone();
    world.party(ADA).surface.set_kept();
    let path = format!("/v1/contacts/{}", other(7));
    let put = || ask("PUT", &path).json(r#"{"petname":"grace"}"#);
    for is_kept in [false, true] {
        let sent = world.send(ADA, put());
        world.run(Duration::from_secs(1));
        assert!(!world.response(ADA, sent).is_complete, "said too early");
        let (order, changes) = world.party(ADA).surface.poll_order().expect("an order");
        assert_eq!(changes.len(), 1);
        world.handle_kept(ADA, order, is_kept);
        world.run(Duration::from_secs(1));
        let answer = world.response(ADA, sent);
        assert_eq!(
            answer.status,
            if is_kept { 201 } else { 507 },
            "{}",
            answer.text()
        );
        let there = usize::from(is_kept);
        assert_eq!(contacts(&mut world, ADA).len(), there, "it stays as it was");
    }
}
