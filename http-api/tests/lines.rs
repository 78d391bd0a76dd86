//! Lines: WebSockets whose messages are datagrams with a peer, with the client's frames written by hand.

mod world;

use core::time::Duration;

use p2p_http_api::HttpId;
use serde_json::Value;
use world::{ADA, Ask, BEN, World, ask, bare};

const SOON: Duration = Duration::from_millis(300);
/// The key of RFC 6455 §1.3, and what it is answered with.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn wish(ask: Ask) -> Ask {
    ask.header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", KEY)
        .open_ended()
}

fn open(world: &mut World, n: u8, target: &str) -> HttpId {
    let id = world.send(n, wish(ask("GET", target)));
    world.run(SOON);
    let response = world.response(n, id);
    assert_eq!(response.status, 101, "{response:?}");
    assert_eq!(response.header("sec-websocket-accept"), Some(ACCEPT));
    id
}

/// A frame of a client, with a mask of zeros.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | kind];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// A frame of a server.
fn from_node(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | kind, payload.len() as u8];
    frame.extend(payload);
    frame
}

fn say(world: &mut World, n: u8, id: HttpId, bytes: &[u8]) {
    world.upload(n, id, bytes, false);
    world.run(SOON);
}

fn body(world: &mut World, n: u8, id: HttpId) -> Vec<u8> {
    world.response(n, id).body
}

fn inbox(world: &mut World, n: u8) -> Vec<Value> {
    let list = world.get(n, ask("GET", "/v1/inbox?type=datagram")).json();
    list["items"].as_array().expect("a list").clone()
}

fn peer(world: &mut World, n: u8) -> String {
    world.id(n)
}

#[test]
fn messages_are_datagrams_both_ways() {
    let mut world = World::connected();
    let ada = peer(&mut world, ADA);
    let at_ada = open(&mut world, ADA, "/v1/peers/ben/line?channel=7");
    say(&mut world, ADA, at_ada, &frame(1, b"to the inbox"));
    let items = inbox(&mut world, BEN);
    assert_eq!(items.len(), 1);
    assert_eq!(
        (&items[0]["text"], &items[0]["channel"]),
        (&"to the inbox".into(), &7.into())
    );
    let at_ben = open(&mut world, BEN, &format!("/v1/peers/{ada}/line?channel=7"));
    let other = open(&mut world, BEN, &format!("/v1/peers/{ada}/line?channel=8"));
    // Two in one piece, one in two pieces.
    let mut bytes = frame(2, &[0, 1, 2]);
    bytes.extend(frame(2, b"second"));
    let (first, rest) = bytes.split_at(5);
    say(&mut world, ADA, at_ada, first);
    say(&mut world, ADA, at_ada, rest);
    let expected = [from_node(2, &[0, 1, 2]), from_node(2, b"second")].concat();
    assert_eq!(body(&mut world, BEN, at_ben), expected);
    assert!(body(&mut world, BEN, other).is_empty(), "another channel");
    assert_eq!(inbox(&mut world, BEN).len(), 1, "the line took them");
    say(&mut world, BEN, at_ben, &frame(2, b"back"));
    assert_eq!(body(&mut world, ADA, at_ada), from_node(2, b"back"));
    say(&mut world, ADA, at_ada, &frame(9, b"ping"));
    let told = [from_node(2, b"back"), from_node(10, b"ping")].concat();
    assert_eq!(body(&mut world, ADA, at_ada), told);
    // Closing is a conversation.
    say(&mut world, ADA, at_ada, &frame(8, &1_000_u16.to_be_bytes()));
    let response = world.response(ADA, at_ada);
    assert!(response.is_complete && !response.is_aborted);
    assert!(
        response
            .body
            .ends_with(&from_node(8, &1_000_u16.to_be_bytes()))
    );
    assert!(!world.party(ADA).surface.is_open(at_ada));
    say(&mut world, BEN, at_ben, &frame(2, b"late"));
    assert_eq!(
        inbox(&mut world, ADA).len(),
        1,
        "nobody takes it but the inbox"
    );
}

#[test]
fn a_line_ends_with_what_it_is_for() {
    let mut world = World::connected();
    let long = open(&mut world, ADA, "/v1/peers/ben/line");
    say(&mut world, ADA, long, &frame(2, &[7; 1_081]));
    let response = world.response(ADA, long);
    assert!(response.is_complete);
    assert_eq!(response.body[..4], [0x88, 10, 0x03, 0xf1], "1009");
    let huge = open(&mut world, ADA, "/v1/peers/ben/line");
    // A frame that announces 128 KiB is refused before it comes.
    say(
        &mut world,
        ADA,
        huge,
        &[0x82, 0xff, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0],
    );
    assert!(world.response(ADA, huge).is_complete);
    let unmasked = open(&mut world, ADA, "/v1/peers/ben/line");
    say(&mut world, ADA, unmasked, &from_node(2, b"x"));
    assert!(world.response(ADA, unmasked).is_complete);
    let half = open(&mut world, ADA, "/v1/peers/ben/line");
    world.upload(ADA, half, b"", true);
    world.run(SOON);
    assert!(world.response(ADA, half).is_complete);
    let left = open(&mut world, ADA, "/v1/peers/ben/line");
    let _ = world.get(ADA, ask("DELETE", "/v1/peers/ben/connection"));
    world.run(SOON);
    let response = world.response(ADA, left);
    assert!(response.is_complete);
    assert_eq!(response.body[..4], [0x88, 14, 0x03, 0xe9], "1001");
    world.run(SOON);
    let refused = world.get(ADA, wish(ask("GET", "/v1/peers/ben/line")));
    assert_eq!(refused.code(), "not_connected");
}

#[test]
fn a_client_that_does_not_read_costs_a_window() {
    let mut world = World::connected();
    let ada = peer(&mut world, ADA);
    let at_ben = open(&mut world, BEN, &format!("/v1/peers/{ada}/line"));
    let at_ada = open(&mut world, ADA, "/v1/peers/ben/line");
    world.party(BEN).reads = false;
    let mut bytes = Vec::new();
    for _ in 0..20 {
        bytes.extend(frame(2, &[7; 1_000]));
    }
    for _ in 0..40 {
        say(&mut world, ADA, at_ada, &bytes);
    }
    let held = body(&mut world, BEN, at_ben).len();
    assert!(
        (200_000..270_000).contains(&held),
        "{held} of 800,000 bytes"
    );
    let now = world.now;
    world.party(BEN).read_on(now);
    say(&mut world, ADA, at_ada, &frame(2, b"new"));
    assert!(
        body(&mut world, BEN, at_ben).ends_with(b"new"),
        "it goes on"
    );
    // One that does not read its pongs gets no more pings read.
    world.party(BEN).reads = false;
    let mut pushed = 0;
    for _ in 0..60 {
        let window = world.party(BEN).surface.body_window(at_ben);
        let pings = frame(9, &[7; 100]).repeat(200);
        if window > 0 {
            pushed += pings.len();
            say(&mut world, BEN, at_ben, &pings);
        }
    }
    assert!(pushed < 1 << 20, "{pushed} bytes");
}

#[test]
fn only_a_websocket_of_the_owner_opens_one() {
    let mut world = World::connected();
    let plain = world.get(ADA, ask("GET", "/v1/peers/ben/line"));
    assert_eq!(
        (plain.status, plain.code().as_str()),
        (426, "upgrade_required")
    );
    assert_eq!(plain.header("upgrade"), Some("websocket"));
    let old = ask("GET", "/v1/peers/ben/line")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "8")
        .header("Sec-WebSocket-Key", KEY);
    assert_eq!(world.get(ADA, old).code(), "upgrade_required");
    let nobody = world.get(ADA, wish(bare("GET", "/v1/peers/ben/line")));
    assert_eq!(nobody.code(), "unauthorized");
    let ticket = world.get(ADA, ask("POST", "/v1/auth/tickets")).json();
    let ticket = format!(r#"{{"ticket": {}}}"#, ticket["ticket"]);
    let login = world.get(ADA, bare("POST", "/v1/auth/login").json(&ticket));
    let cookie = login.header("set-cookie").expect("a cookie");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let page = || wish(bare("GET", "/v1/peers/ben/line")).header("Cookie", &cookie);
    assert_eq!(world.get(ADA, page()).code(), "cross_site", "no Origin");
    let foreign = page().header("Origin", "http://evil.example");
    assert_eq!(world.get(ADA, foreign).code(), "cross_site");
    let own = page().header("Origin", &format!("http://{}", world::HOST));
    let id = world.send(ADA, own);
    world.run(SOON);
    assert_eq!(world.response(ADA, id).status, 101);
    let mut cannot = wish(ask("GET", "/v1/peers/ben/line"));
    cannot.request.can_upgrade = false;
    assert_eq!(world.get(ADA, cannot).code(), "upgrade_not_supported");
}
