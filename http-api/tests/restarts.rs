//! What the owner sets up outlives the node: services with their lists and secrets, forwards with their ports. What
//! cannot be written down is not said to be set up.

mod world;

use core::time::Duration;

use p2p_core::time::Instant;
use p2p_http_api::{Surface, SurfaceConfig, Token};
use p2p_storage::{Book, Change, Kept, KeptKind};
use serde_json::{Value, json};
use world::{ADA, BEN, Response, TOKEN, World, ask};

/// The surface of the next run, which begins with what was kept.
fn surface_with(now: Instant, n: u8, book: Book) -> Surface {
    let config = SurfaceConfig {
        token: Token::from_bytes(TOKEN),
        allowed_hosts: SurfaceConfig::loopback_hosts(8_080),
        version: "1.2.3".to_owned(),
        settings: Default::default(),
        driver: "sim",
        local_forwards: true,
        book,
        inbox: Default::default(),
        rng_seed: [n + 1; 32],
    };
    Surface::new(config, now, 1_770_000_000_000)
}

/// Carries out and answers all orders to keep something.
fn keep(world: &mut World, n: u8, book: &mut Book, is_kept: bool) {
    let now = world.now;
    let party = world.party(n);
    while let Some((order, changes)) = party.surface.poll_order() {
        let changes: Vec<Change> = if is_kept { changes } else { Vec::new() };
        changes.into_iter().for_each(|change| book.apply(change));
        party
            .surface
            .handle_kept(now, &mut party.node, order, is_kept);
    }
}

/// Sends a request whose answer waits for the disk.
fn kept(world: &mut World, n: u8, book: &mut Book, request: world::Ask, is_kept: bool) -> Response {
    let id = world.send(n, request);
    world.run(Duration::from_millis(100));
    assert!(
        !world.response(n, id).is_complete,
        "said before it was kept"
    );
    keep(world, n, book, is_kept);
    world.run(Duration::from_millis(100));
    world.response(n, id)
}

fn services(world: &mut World, n: u8) -> Vec<Value> {
    let list = world.get(n, ask("GET", "/v1/services")).json();
    let all = list["items"].as_array().expect("a list").clone();
    all.into_iter()
        .filter(|service| service["built_in"] == false)
        .collect()
}

fn put(name: &str, body: &Value) -> world::Ask {
    ask("PUT", &format!("/v1/services/{name}")).json(&body.to_string())
}

#[test]
fn services_are_there_again_with_their_lists_and_secrets() {
    let mut world = World::connected();
    let mut book = Book::default();
    world.party(BEN).surface.set_kept();
    keep(&mut world, BEN, &mut book, true);
    let only = [format!("peer:{}", world.id(ADA))];
    let bodies = [
        (
            "hook",
            json!({"deliver": "webhook", "url": "http://127.0.0.1:3000/hook", "allow": only}),
        ),
        ("inbox", json!({"deliver": "inbox"})),
        (
            "shell",
            json!({"deliver": "tcp", "target": "127.0.0.1:22", "allow": ["anyone"]}),
        ),
        (
            "site",
            json!({"deliver": "http", "target": "http://127.0.0.1:3000", "allow": only, "head_timeout_ms": 5_000}),
        ),
    ];
    for (name, body) in &bodies {
        let made = kept(&mut world, BEN, &mut book, put(name, body), true);
        assert_eq!(made.status, 200, "{}", made.text());
        assert_eq!(made.json()["secret"].is_string(), *name == "hook");
    }
    let gone = put("gone", &json!({"deliver": "inbox"}));
    kept(&mut world, BEN, &mut book, gone, true);
    let removed = kept(
        &mut world,
        BEN,
        &mut book,
        ask("DELETE", "/v1/services/gone"),
        true,
    );
    assert_eq!(removed.status, 204);
    let before = services(&mut world, BEN);
    assert_eq!(before.len(), 4);

    let now = world.now;
    world.party(BEN).surface = surface_with(now, BEN, book.clone());
    assert_eq!(services(&mut world, BEN), before);
    // The application of the webhook still holds the secret that it was told once.
    world.party(BEN).surface.set_kept();
    let again = kept(&mut world, BEN, &mut book, put("hook", &bodies[0].1), true);
    assert_eq!(again.json()["secret"], Value::Null);
    // Ada gets through, without anybody having asked for anything since the start.
    world.party(BEN).surface = surface_with(now, BEN, book);
    let call = world.send(ADA, ask("GET", "/v1/peers/ben/services/site/"));
    world.run(Duration::from_secs(1));
    assert!(!world.newest_socket(BEN).sent.is_empty());
    world.hang_up(ADA, call);
}

#[test]
fn a_right_that_is_taken_away_ends_at_once_what_is_under_way() {
    let mut world = World::connected();
    let mut book = Book::default();
    let only = [format!("peer:{}", world.id(ADA))];
    world.party(BEN).surface.set_kept();
    let body = json!({"deliver": "http", "target": "http://127.0.0.1:3000", "allow": only});
    kept(&mut world, BEN, &mut book, put("site", &body), true);
    let call = world.send(ADA, ask("GET", "/v1/peers/ben/services/site/"));
    world.run(Duration::from_secs(1));
    assert!(!world.newest_socket(BEN).is_reset);
    // Whatever the disk says of it later.
    let _ = world.send(BEN, ask("DELETE", "/v1/services/site"));
    world.run(Duration::from_millis(100));
    assert!(world.newest_socket(BEN).is_reset);
    assert!(world.response(ADA, call).is_complete);
}

/// A port that somebody else has by now, or a service whose target is the node's own.
#[test]
fn what_could_not_be_set_up_again_can_be_taken_back() {
    let mut world = World::alone();
    let mut book = Book::default();
    for kind in [KeptKind::Service, KeptKind::Forward] {
        let (name, document) = ("x".to_owned(), "of no version".to_owned());
        book.apply(Change::Keep(Kept {
            kind,
            name,
            document,
        }));
    }
    let now = world.now;
    world.party(ADA).surface = surface_with(now, ADA, book.clone());
    world.party(ADA).surface.set_kept();
    assert_eq!(services(&mut world, ADA), Vec::<Value>::new());
    for path in ["/v1/services/x", "/v1/forwards/x"] {
        let removed = kept(&mut world, ADA, &mut book, ask("DELETE", path), true);
        assert_eq!(removed.status, 204, "{path}");
        assert_eq!(world.get(ADA, ask("DELETE", path)).status, 404, "{path}");
    }
    assert_eq!(book.all_kept().count(), 0);
}

#[test]
fn what_cannot_be_written_down_is_as_before() {
    let mut world = World::connected();
    let mut book = Book::default();
    world.party(BEN).surface.set_kept();
    let site = |port: u16| {
        put(
            "site",
            &json!({"deliver": "http", "target": format!("http://127.0.0.1:{port}"), "allow": []}),
        )
    };
    let full = kept(&mut world, BEN, &mut book, site(3_000), false);
    assert_eq!(full.code(), "not_kept");
    assert_eq!(services(&mut world, BEN), Vec::<Value>::new());
    assert_eq!(
        kept(&mut world, BEN, &mut book, site(3_001), true).status,
        200
    );
    assert_eq!(
        kept(&mut world, BEN, &mut book, site(3_002), false).code(),
        "not_kept"
    );
    assert_eq!(
        services(&mut world, BEN)[0]["target"],
        "http://127.0.0.1:3001"
    );
    let remove = ask("DELETE", "/v1/services/site");
    assert_eq!(
        kept(&mut world, BEN, &mut book, remove, false).code(),
        "not_kept"
    );
    assert_eq!(services(&mut world, BEN).len(), 1);
}

fn forwards(world: &mut World, n: u8) -> Vec<Value> {
    let list = world.get(n, ask("GET", "/v1/forwards")).json();
    list["items"].as_array().expect("a list").clone()
}

#[test]
fn a_forward_listens_again_where_programs_look_for_it() {
    let mut world = World::connected();
    let mut book = Book::default();
    world.party(ADA).surface.set_kept();
    keep(&mut world, ADA, &mut book, true);
    let put = |service: &str| {
        let body = json!({"peer": "ben", "service": service});
        ask("PUT", "/v1/forwards/shell").json(&body.to_string())
    };
    assert_eq!(
        kept(&mut world, ADA, &mut book, put("ssh"), false).code(),
        "not_kept"
    );
    assert_eq!(forwards(&mut world, ADA), Vec::<Value>::new());
    let made = kept(&mut world, ADA, &mut book, put("ssh"), true);
    assert_eq!(made.status, 200, "{}", made.text());
    let listen = made.json()["listen"].clone();
    let changed = kept(&mut world, ADA, &mut book, put("other"), true);
    assert_eq!((changed.status, &changed.json()["listen"]), (200, &listen));

    let now = world.now;
    let fresh = surface_with(now, ADA, book.clone());
    let party = world.party(ADA);
    party.surface = fresh;
    party.ports.clear();
    party.surface.set_kept();
    world.run(Duration::from_millis(100));
    let there = forwards(&mut world, ADA);
    assert_eq!(
        (there.len(), &there[0]["listen"], &there[0]["service"]),
        (1, &listen, &json!("other"))
    );
    assert!(
        world.party(ADA).surface.poll_order().is_none(),
        "nothing new to keep"
    );
    let removed = kept(
        &mut world,
        ADA,
        &mut book,
        ask("DELETE", "/v1/forwards/shell"),
        true,
    );
    assert_eq!(removed.status, 204);
    assert_eq!(book.all_kept().count(), 0);
}
