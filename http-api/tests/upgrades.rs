//! WebSockets through the network (protocol §8.8), with program and application in the test's hand: after the change
//! of protocol bytes pass as they are, each half with its own end, and nothing passes before it.

mod world;

use core::time::Duration;

use bytes::Bytes;
use p2p_http_api::{HttpId, SocketNews};
use world::{ADA, Ask, BEN, Response, World, ask};

const CHAT: &str = "/v1/peers/ben/services/web/chat";
const SOON: Duration = Duration::from_millis(300);
const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: WebSocket\n\
                        Sec-WebSocket-Accept: abc\nSec-WebSocket-Protocol: chat\n\n";

fn serving() -> World {
    let mut world = World::connected();
    let body = r#"{"deliver": "http", "target": "http://127.0.0.1:3000", "allow": ["anyone"]}"#;
    let offered = world.get(BEN, ask("PUT", "/v1/services/web").json(body));
    assert_eq!(offered.status, 200);
    world
}

fn websocket() -> Ask {
    ask("GET", CHAT)
        .header("Connection", "keep-alive, Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Key", "key")
        .header("Sec-WebSocket-Version", "13")
}

fn begin(world: &mut World) -> HttpId {
    let id = world.send(ADA, websocket().open_ended());
    world.run(SOON);
    id
}

fn answer(world: &mut World, text: &str) {
    let bytes = Bytes::from(text.replace('\n', "\r\n"));
    told(world, |id| SocketNews::Read(id, bytes));
}

fn told(world: &mut World, act: impl FnOnce(p2p_http_api::SocketId) -> SocketNews) {
    world.application(BEN, act);
    world.run(SOON);
}

fn sent(world: &mut World) -> String {
    String::from_utf8(world.newest_socket(BEN).sent).expect("ASCII")
}

/// A program and an application that have changed the protocol.
fn switched(world: &mut World) -> HttpId {
    let id = begin(world);
    answer(world, SWITCHED);
    assert_eq!(world.response(ADA, id).status, 101);
    id
}

fn ended(response: &Response) -> (bool, bool) {
    (response.is_complete, response.is_aborted)
}

#[test]
fn both_sides_speak_their_protocol_and_end_their_halves() {
    let mut world = serving();
    let id = begin(&mut world);
    let request = sent(&mut world);
    let lines: Vec<&str> = request.split("\r\n").collect();
    for line in [
        "GET /chat HTTP/1.1",
        "connection: upgrade",
        "upgrade: websocket",
        "sec-websocket-key: key",
        "x-p2p-service: web",
    ] {
        assert_eq!(lines.iter().filter(|l| **l == line).count(), 1, "{request}");
    }
    assert!(!request.contains("close") && !request.contains("chunked"));
    // The first bytes of the application come with its head.
    answer(&mut world, &format!("{SWITCHED}hello"));
    let response = world.response(ADA, id);
    assert_eq!((response.status, &response.body[..]), (101, &b"hello"[..]));
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-accept", "abc"),
        ("sec-websocket-protocol", "chat"),
    ] {
        assert_eq!(response.header(name), Some(value));
    }
    world.upload(ADA, id, b"\x81\x05GET /", false);
    world.run(SOON);
    assert!(
        world
            .newest_socket(BEN)
            .sent
            .ends_with(b"\r\n\r\n\x81\x05GET /"),
        "as it is"
    );
    answer(&mut world, "0\n\n");
    assert_eq!(world.response(ADA, id).body, b"hello0\r\n\r\n", "no chunks");
    world.upload(ADA, id, b"bye", true);
    world.run(Duration::from_secs(600));
    let application = world.newest_socket(BEN);
    assert!(application.sent.ends_with(b"bye") && application.is_finished);
    assert!(
        !application.is_closed && !application.is_reset,
        "its half goes on"
    );
    assert_eq!(ended(&world.response(ADA, id)), (false, false));
    answer(&mut world, "last");
    told(&mut world, SocketNews::Ended);
    let response = world.response(ADA, id);
    assert!(response.body.ends_with(b"last"));
    assert_eq!(ended(&response), (true, false));
    assert!(!world.party(ADA).surface.is_open(id));
}

#[test]
fn an_application_that_ends_first_hears_the_rest() {
    let mut world = serving();
    let id = switched(&mut world);
    answer(&mut world, "all");
    told(&mut world, SocketNews::Ended);
    assert_eq!(ended(&world.response(ADA, id)), (true, false));
    assert!(
        world.party(ADA).surface.is_open(id),
        "the program still speaks"
    );
    world.run(Duration::from_secs(600));
    world.upload(ADA, id, b"rest", true);
    world.run(SOON);
    let application = world.newest_socket(BEN);
    assert!(application.sent.ends_with(b"rest") && application.is_finished);
    assert!(!world.party(ADA).surface.is_open(id));
    // One that is gone altogether does not, and the program is told.
    let id = switched(&mut world);
    told(&mut world, SocketNews::Ended);
    told(&mut world, SocketNews::Broken);
    assert_eq!(ended(&world.response(ADA, id)), (true, false));
    world.run(Duration::from_secs(3));
    assert!(world.response(ADA, id).is_aborted);
    assert!(!world.party(ADA).surface.is_open(id));
}

#[test]
fn what_breaks_breaks_the_other_side() {
    let mut world = serving();
    let id = switched(&mut world);
    told(&mut world, SocketNews::Broken);
    assert_eq!(ended(&world.response(ADA, id)), (false, true));
    let id = switched(&mut world);
    world.hang_up(ADA, id);
    world.run(SOON);
    assert!(world.newest_socket(BEN).is_reset);
    let id = switched(&mut world);
    let _ = world.get(ADA, ask("DELETE", "/v1/peers/ben/connection"));
    world.run(SOON);
    assert_eq!(ended(&world.response(ADA, id)), (false, true));
    assert!(world.newest_socket(BEN).is_reset);
}

#[test]
fn neither_side_is_read_faster_than_the_other_takes() {
    let mut world = serving();
    let id = switched(&mut world);
    world.party(ADA).reads = false;
    let mut given = 0;
    for _ in 0..200 {
        let credit = world.newest_socket(BEN).credit;
        if credit > 0 {
            given += credit;
            let bytes = Bytes::from(vec![7; credit]);
            world.application(BEN, |id| SocketNews::Read(id, bytes));
        }
        world.run(Duration::from_millis(50));
    }
    assert!((256 << 10..6 << 20).contains(&given), "{given} bytes");
    let now = world.now;
    world.party(ADA).read_on(now);
    world.run(Duration::from_secs(5));
    assert_eq!(world.response(ADA, id).body.len(), given);
    world.party(BEN).writes = false;
    let before = world.newest_socket(BEN).sent.len();
    let mut pushed = 0;
    for _ in 0..200 {
        let window = world.party(ADA).surface.body_window(id);
        pushed += window;
        world.upload(ADA, id, &vec![7; window], false);
        world.run(Duration::from_millis(50));
    }
    assert!((256 << 10..6 << 20).contains(&pushed), "{pushed} bytes");
    assert!(world.newest_socket(BEN).sent.len() - before <= 256 << 10);
}

#[test]
fn an_application_may_answer_as_usual() {
    let mut world = serving();
    let id = world.send(ADA, websocket());
    world.run(SOON);
    // The driver tells the end of the body when it sees another answer; here it did before.
    assert!(
        world.newest_socket(BEN).is_reset,
        "a program that leaves before the answer"
    );
    assert_eq!(world.response(ADA, id).code(), "service_broken");
    let id = begin(&mut world);
    answer(
        &mut world,
        "HTTP/1.1 403 Forbidden\nContent-Length: 2\n\nno",
    );
    let response = world.response(ADA, id);
    assert_eq!((response.status, &response.body[..]), (403, &b"no"[..]));
    world.upload(ADA, id, b"", true);
    world.run(SOON);
    assert!(!world.party(ADA).surface.is_open(id));
}

#[test]
fn no_byte_passes_before_the_change_and_none_changes_unasked() {
    let mut world = serving();
    let id = begin(&mut world);
    world.upload(ADA, id, b"GET /admin HTTP/1.1\r\n\r\n", false);
    world.run(SOON);
    assert!(!sent(&mut world).contains("admin"));
    assert!(world.newest_socket(BEN).is_reset);
    for head in [
        "101 X\nUpgrade: h2c",
        "101 X",
        "101 X\nUpgrade: websocket\nUpgrade: websocket",
    ] {
        let id = begin(&mut world);
        answer(&mut world, &format!("HTTP/1.1 {head}\n\n"));
        assert_eq!(world.response(ADA, id).code(), "service_broken", "{head}");
    }
    let id = world.send(ADA, ask("GET", CHAT));
    world.run(SOON);
    answer(&mut world, SWITCHED);
    assert_eq!(world.response(ADA, id).code(), "service_broken");
}

#[test]
fn other_protocols_are_passed_over_and_a_driver_says_what_it_cannot() {
    let mut world = serving();
    let h2c = ask("GET", CHAT)
        .header("Connection", "Upgrade, HTTP2-Settings")
        .header("Upgrade", "h2c")
        .header("HTTP2-Settings", "x");
    let id = world.send(ADA, h2c);
    world.run(SOON);
    assert!(sent(&mut world).contains("connection: close"));
    assert!(!sent(&mut world).contains("pgrade"));
    answer(&mut world, "HTTP/1.1 200 OK\nContent-Length: 0\n\n");
    assert_eq!(world.response(ADA, id).status, 200);
    let mut cannot = websocket();
    cannot.request.can_upgrade = false;
    let refused = world.get(ADA, cannot);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (501, "upgrade_not_supported")
    );
}
