//! Strangers that knock: listed, let in, taken off the list.

mod world;

use core::time::Duration;

use p2p_core::api::{Roles, Strangers};
use serde_json::Value;
use world::{ADA, BEN, INTRODUCER, World, ask, config};

/// Ben wants to be asked; ada is a stranger.
fn scene() -> World {
    let mut world = World::empty();
    let mut introducer = config(INTRODUCER);
    introducer.roles = Roles::ALL;
    let id = world.add(INTRODUCER, introducer);
    for (n, name) in [(ADA, "ada"), (BEN, "ben")] {
        let mut config = config(n);
        config.name = Some(name.to_owned());
        let place = format!("p2p://{id}@10.0.0.1:6660");
        config.introducers = vec![place.parse().expect("an address")];
        if n == BEN {
            config.strangers = Strangers::Ask;
        }
        world.add(n, config);
    }
    world.run(Duration::from_secs(2));
    world
}

fn connect(world: &mut World) -> u16 {
    let order = ask("POST", "/v1/peers/ben/connect").json("{}");
    world.get(ADA, order).status
}

fn knocks(world: &mut World) -> Vec<Value> {
    let answer = world.get(BEN, ask("GET", "/v1/knocks"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let list: Value = serde_json::from_str(&answer.text()).expect("JSON");
    list["items"].as_array().expect("a list").clone()
}

#[test]
fn a_stranger_is_let_in_by_a_word() {
    let mut world = scene();
    assert_eq!(knocks(&mut world), Vec::<Value>::new());
    assert_ne!(connect(&mut world), 200);
    let ada = world.id(ADA);
    let list = knocks(&mut world);
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0]["peer"], ada);
    assert_eq!(list[0]["claimed_name"], "ada");
    assert_eq!(list[0]["introducer"], world.id(INTRODUCER));
    for meant in ["ada", &ada[..7], "zzzzzzzz"] {
        let answer = world.get(BEN, ask("POST", &format!("/v1/knocks/{meant}/accept")));
        assert_eq!(
            answer.status, 404,
            "a claim or too little names nobody: {meant}"
        );
    }
    let accept = format!("/v1/knocks/{}/accept", &ada[..8]);
    assert_eq!(world.get(BEN, ask("POST", &accept)).status, 204);
    assert_eq!(knocks(&mut world), Vec::<Value>::new());
    assert_eq!(connect(&mut world), 200);
}

#[test]
fn who_is_taken_off_the_list_stays_outside() {
    let mut world = scene();
    assert_ne!(connect(&mut world), 200);
    let ada = world.id(ADA);
    let dismiss = || ask("DELETE", &format!("/v1/knocks/{ada}"));
    assert_eq!(world.get(BEN, dismiss()).status, 204);
    assert_eq!(world.get(BEN, dismiss()).status, 404);
    assert_eq!(knocks(&mut world), Vec::<Value>::new());
    assert_ne!(connect(&mut world), 200);
    assert_eq!(
        knocks(&mut world),
        Vec::<Value>::new(),
        "not told twice a minute"
    );
    world.run(Duration::from_secs(61));
    assert_ne!(connect(&mut world), 200);
    assert_eq!(knocks(&mut world).len(), 1, "it may knock again");
}
