//! Invitations between nodes that know nothing of each other: a link is enough, works as often as it says, and waits
//! for whoever is away.

mod world;

use core::time::Duration;

use p2p_core::api::Roles;
use serde_json::{Value, json};
use world::{ADA, BEN, INTRODUCER, Response, World, ask, config};

/// Another node that knows nobody.
const EVE: u8 = 4;

/// Ada at an introducer, ben and eve new and without any. Ada's own address is shown to nobody, unless `direct`.
fn strangers(direct: bool) -> World {
    let mut world = World::empty();
    let mut introducer = config(INTRODUCER);
    introducer.roles = Roles::ALL;
    let id = world.add(INTRODUCER, introducer);
    let mut ada = config(ADA);
    ada.name = Some("ada".to_owned());
    ada.direct_paths = direct;
    if !direct {
        ada.local_addresses = Vec::new().into();
    }
    ada.introducers = vec![
        format!("p2p://{id}@10.0.0.1:6660")
            .parse()
            .expect("an address"),
    ];
    world.add(ADA, ada);
    for (n, name) in [(BEN, "ben"), (EVE, "eve")] {
        let mut config = config(n);
        config.name = Some(name.to_owned());
        world.add(n, config);
    }
    world.run(Duration::from_secs(2));
    world
}

fn invite(world: &mut World, n: u8, body: &Value) -> Value {
    let made = world.get(n, ask("POST", "/v1/invites").json(&body.to_string()));
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()
}

fn link(invite: &Value) -> String {
    invite["link"].as_str().expect("a link").to_owned()
}

fn accept(world: &mut World, n: u8, body: &Value) -> Response {
    world.get(n, ask("POST", "/v1/invites/accept").json(&body.to_string()))
}

fn contact(world: &mut World, n: u8, id: &str) -> Value {
    let contact = world.get(n, ask("GET", &format!("/v1/contacts/{id}")));
    assert_eq!(contact.status, 200, "{}", contact.text());
    contact.json()
}

/// Protocol §8.10.
#[test]
fn a_link_makes_contacts_of_two_who_share_nothing_through_an_introducer() {
    let mut world = strangers(false);
    let (ada, ben) = (world.id(ADA), world.id(BEN));
    let made = invite(&mut world, ADA, &json!({"petname": "my brother"}));
    assert!(
        made["qr_svg"]
            .as_str()
            .is_some_and(|svg| svg.starts_with("<svg"))
    );
    assert_eq!(made["uses_left"], 1);

    let joined = accept(&mut world, BEN, &json!({"link": link(&made)}));
    assert_eq!(joined.status, 200, "{}", joined.text());
    assert_eq!(joined.json()["peer"], ada);
    assert_eq!(
        (&joined.json()["state"], &joined.json()["petname"]),
        (&json!("joined"), &json!("ada"))
    );

    let at_ada = contact(&mut world, ADA, &ben);
    assert_eq!(
        (&at_ada["petname"], &at_ada["trust"], &at_ada["how"]),
        (&json!("my brother"), &json!("verified"), &json!("invite"))
    );
    assert_eq!(contact(&mut world, BEN, &ada)["trust"], "verified");
    for (n, path) in [
        (ADA, "/v1/peers/my%20brother/messages"),
        (BEN, "/v1/peers/ada/messages"),
    ] {
        let sent = world.get(
            n,
            ask("POST", path).header("Prefer", "wait=5").body("hello"),
        );
        assert_eq!(sent.json()["state"], "delivered", "{}", sent.text());
    }
    let list = world.get(ADA, ask("GET", "/v1/invites")).json();
    assert_eq!(list["items"][0]["taken_by"], json!([ben]));
    assert_eq!(
        (&list["items"][0]["uses_left"], &list["items"][0]["link"]),
        (&json!(0), &Value::Null)
    );
    assert_eq!(
        world.get(BEN, ask("GET", "/v1/invites")).json()["joining"],
        json!([])
    );
}

#[test]
fn a_link_reaches_its_maker_without_any_introducer() {
    let mut world = World::empty();
    for n in [ADA, BEN] {
        world.add(n, config(n));
    }
    let made = invite(&mut world, ADA, &json!({}));
    let joined = accept(
        &mut world,
        BEN,
        &json!({"link": link(&made), "petname": "grace"}),
    );
    assert_eq!(
        (joined.status, &joined.json()["petname"]),
        (200, &json!("grace")),
        "{}",
        joined.text()
    );
    let ben = world.id(BEN);
    assert_eq!(contact(&mut world, ADA, &ben)["trust"], "verified");
}

#[test]
fn one_link_for_one_person_serves_no_second_and_answers_the_first_again() {
    let mut world = strangers(true);
    let made = invite(&mut world, ADA, &json!({}));
    let body = json!({"link": link(&made)});
    assert_eq!(accept(&mut world, BEN, &body).status, 200);
    assert_eq!(
        accept(&mut world, BEN, &body).status,
        200,
        "the same person again"
    );
    let second = accept(&mut world, EVE, &body);
    assert_eq!(
        (second.status, second.code().as_str()),
        (410, "invite_used")
    );
    let eve = world.id(EVE);
    let unknown = world.get(ADA, ask("GET", &format!("/v1/contacts/{eve}")));
    assert_eq!(unknown.code(), "contact_not_found");
    // What eve's owner did is the owner's own; nothing goes on behind it.
    assert_eq!(
        world.get(EVE, ask("GET", "/v1/invites")).json()["joining"],
        json!([])
    );

    let several = invite(&mut world, ADA, &json!({"uses": 2}));
    for (n, status) in [(BEN, 200), (EVE, 200)] {
        assert_eq!(
            accept(&mut world, n, &json!({"link": link(&several)})).status,
            status
        );
    }
    assert_eq!(
        contact(&mut world, ADA, &eve)["trust"],
        "found",
        "it may have been passed on"
    );
    assert_eq!(contact(&mut world, ADA, &eve)["petname"], "eve");
}

/// Whoever was invited once cannot come back by the same link when the owner has thought better of it.
#[test]
fn a_link_raises_nobody_whom_the_owner_has_forgotten_or_trusts_less() {
    let mut world = strangers(true);
    let ben = world.id(BEN);
    let made = invite(&mut world, ADA, &json!({}));
    let body = json!({"link": link(&made)});
    assert_eq!(accept(&mut world, BEN, &body).status, 200);
    let path = format!("/v1/contacts/{ben}");
    world.get(ADA, ask("PUT", &path).json(r#"{"trust":"stranger"}"#));
    assert_eq!(accept(&mut world, BEN, &body).status, 200);
    assert_eq!(contact(&mut world, ADA, &ben)["trust"], "stranger");
    world.get(ADA, ask("DELETE", &path));
    assert_eq!(accept(&mut world, BEN, &body).code(), "invite_unknown");
    assert_eq!(
        world.get(ADA, ask("GET", &path)).code(),
        "contact_not_found"
    );
}

/// What is being written is not said to be written.
#[test]
fn a_repeated_request_is_answered_no_earlier_than_the_first() {
    let mut world = strangers(true);
    let made = invite(&mut world, ADA, &json!({}));
    world.party(ADA).surface.set_kept();
    let body = json!({"link": link(&made)}).to_string();
    let again = || ask("POST", "/v1/invites/accept").json(&body);
    let ids = [world.send(BEN, again()), {
        world.run(Duration::from_secs(2));
        world.send(BEN, again())
    }];
    world.run(Duration::from_secs(2));
    for id in ids {
        assert!(
            !world.response(BEN, id).is_complete,
            "nothing is on ada's disk"
        );
    }
}

#[test]
fn a_link_taken_back_or_over_serves_nobody() {
    let mut world = strangers(true);
    let made = invite(&mut world, ADA, &json!({"expires_s": 3_600}));
    let revoked = invite(&mut world, ADA, &json!({}));
    let path = format!("/v1/invites/{}", revoked["id"].as_str().expect("an id"));
    assert_eq!(world.get(ADA, ask("DELETE", &path)).status, 204);
    assert_eq!(
        world.get(ADA, ask("DELETE", &path)).code(),
        "invite_unknown"
    );
    let refused = accept(&mut world, BEN, &json!({"link": link(&revoked)}));
    assert_eq!(refused.code(), "invite_unknown");

    world.run(Duration::from_secs(3_600));
    let late = accept(&mut world, BEN, &json!({"link": link(&made)}));
    assert_eq!(late.code(), "invite_expired");
    // A new one clears away what is over.
    let _ = invite(&mut world, ADA, &json!({}));
    let left = world.get(ADA, ask("GET", "/v1/invites")).json();
    assert_eq!(left["items"].as_array().map(Vec::len), Some(1), "{left}");
}

#[test]
fn whoever_joins_while_the_other_is_away_meets_it_when_it_is_back() {
    let mut world = strangers(false);
    let ben = world.id(BEN);
    let made = invite(&mut world, ADA, &json!({}));
    world.cut = true;
    let body = json!({"link": link(&made), "timeout_ms": 5_000});
    let waiting = accept(&mut world, BEN, &body);
    assert_eq!(
        (waiting.status, &waiting.json()["state"]),
        (202, &json!("waiting"))
    );
    world.run(Duration::from_secs(120));
    let list = world.get(BEN, ask("GET", "/v1/invites")).json();
    assert_eq!(list["joining"][0]["petname"], "ada");
    assert!(list["joining"][0]["reason"].is_string(), "{list}");
    world.cut = false;
    world.run(Duration::from_secs(330));
    assert_eq!(
        world.get(BEN, ask("GET", "/v1/invites")).json()["joining"],
        json!([])
    );
    assert_eq!(contact(&mut world, ADA, &ben)["trust"], "verified");
}

#[test]
fn a_name_that_is_taken_stays_whose_it_is() {
    let mut world = strangers(true);
    let (ben, eve) = (world.id(BEN), world.id(EVE));
    let path = format!("/v1/contacts/{ben}");
    world.get(ADA, ask("PUT", &path).json(r#"{"petname":"eve"}"#));
    let made = invite(&mut world, ADA, &json!({}));
    assert_eq!(
        accept(&mut world, EVE, &json!({"link": link(&made)})).status,
        200
    );
    assert_eq!(contact(&mut world, ADA, &eve)["petname"], Value::Null);
    assert_eq!(contact(&mut world, ADA, &eve)["claimed_name"], "eve");
    assert_eq!(contact(&mut world, ADA, &ben)["petname"], "eve");
}

#[test]
fn a_blocked_inviter_is_not_called_and_a_forgotten_one_not_any_more() {
    let mut world = strangers(true);
    let (ada, ben) = (world.id(ADA), world.id(BEN));
    let made = invite(&mut world, ADA, &json!({}));
    world.get(BEN, ask("POST", &format!("/v1/contacts/{ada}/block")));
    let body = json!({"link": link(&made), "timeout_ms": 0});
    assert_eq!(accept(&mut world, BEN, &body).code(), "peer_blocked");
    world.get(BEN, ask("POST", &format!("/v1/contacts/{ada}/unblock")));
    world.cut = true;
    assert_eq!(accept(&mut world, BEN, &body).status, 202);
    assert_eq!(
        world
            .get(BEN, ask("DELETE", &format!("/v1/contacts/{ada}")))
            .status,
        204
    );
    world.cut = false;
    world.run(Duration::from_secs(400));
    let unknown = world.get(ADA, ask("GET", &format!("/v1/contacts/{ben}")));
    assert_eq!(unknown.code(), "contact_not_found", "nobody came");
}

/// What is written down first is promised; what cannot be written down is not.
#[test]
fn nothing_is_promised_that_cannot_be_written_down() {
    let mut world = strangers(true);
    let made = invite(&mut world, ADA, &json!({}));
    world.party(ADA).surface.set_kept();
    let id = world.send(
        BEN,
        ask("POST", "/v1/invites/accept").json(&json!({"link": link(&made)}).to_string()),
    );
    world.run(Duration::from_secs(3));
    assert!(
        !world.response(BEN, id).is_complete,
        "nothing is on ada's disk"
    );
    let now = world.now;
    let party = world.party(ADA);
    let (order, _) = party.surface.poll_order().expect("something to keep");
    party
        .surface
        .handle_kept(now, &mut party.node, order, false);
    world.run(Duration::from_secs(25));
    let waiting = world.response(BEN, id);
    assert_eq!(
        (waiting.status, &waiting.json()["state"]),
        (202, &json!("waiting"))
    );
    // Ben comes again; now there is room.
    for _ in 0..60 {
        world.run(Duration::from_secs(10));
        let now = world.now;
        let party = world.party(ADA);
        while let Some((order, _)) = party.surface.poll_order() {
            party.surface.handle_kept(now, &mut party.node, order, true);
        }
    }
    assert_eq!(
        world.get(BEN, ask("GET", "/v1/invites")).json()["joining"],
        json!([])
    );
}
