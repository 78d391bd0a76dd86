//! Forwards and TCP services, with program and application in the test's hand (protocol §8.9): bytes and the ends of
//! halves pass one by one, what breaks is never taken for whole, and nobody is read faster than the other side takes.

mod world;

use core::time::Duration;

use bytes::Bytes;
use p2p_http_api::{SocketId, SocketNews, Surface};
use serde_json::Value;
use world::{ADA, BEN, Response, World, ask};

const SOON: Duration = Duration::from_millis(300);
const PORT: u16 = 2_222;

fn offer(world: &mut World, allow: &str) -> Response {
    let body = format!(r#"{{"deliver": "tcp", "target": "127.0.0.1:22", "allow": {allow}}}"#);
    world.get(BEN, ask("PUT", "/v1/services/ssh").json(&body))
}

fn forward(world: &mut World, name: &str, body: &str) -> Response {
    let put = ask("PUT", &format!("/v1/forwards/{name}"));
    world.get(ADA, put.json(body))
}

/// Ada's port leads to ben's service, which is for anyone.
fn serving() -> World {
    let mut world = World::connected();
    assert_eq!(offer(&mut world, r#"["anyone"]"#).status, 200);
    let body = r#"{"peer": "ben", "service": "ssh", "listen": "127.0.0.1:2222"}"#;
    let made = forward(&mut world, "ssh", body);
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(made.json()["listen"], "127.0.0.1:2222");
    world
}

/// A program's connection, and the application's.
fn connect(world: &mut World) -> (SocketId, SocketId) {
    let program = world.program(ADA, PORT).expect("one is wanted");
    world.run(SOON);
    let sockets = &world.party(BEN).sockets;
    let application = *sockets.keys().next_back().expect("a connection");
    (program, application)
}

fn state(world: &mut World) -> Value {
    world.get(ADA, ask("GET", "/v1/forwards/ssh")).json()
}

fn read(world: &mut World, n: u8, id: SocketId, bytes: &[u8]) {
    world.on_socket(n, SocketNews::Read(id, Bytes::copy_from_slice(bytes)));
    world.run(SOON);
}

fn end(world: &mut World, n: u8, news: SocketNews) {
    world.on_socket(n, news);
    world.run(SOON);
}

#[test]
fn halves_pass_bytes_and_end_one_by_one() {
    let mut world = serving();
    let (program, application) = connect(&mut world);
    // The server speaks first.
    read(&mut world, BEN, application, b"SSH-2.0\r\n");
    assert_eq!(world.party(ADA).sockets[&program].sent, b"SSH-2.0\r\n");
    read(&mut world, ADA, program, b"hello");
    end(&mut world, ADA, SocketNews::Ended(program));
    let at_ben = world.party(BEN).sockets[&application].clone();
    assert_eq!(at_ben.sent, b"hello");
    assert!(at_ben.is_finished && !at_ben.is_reset, "one half only");
    read(&mut world, BEN, application, b"bye");
    assert!(!world.party(ADA).sockets[&program].is_finished);
    end(&mut world, BEN, SocketNews::Ended(application));
    let at_ada = world.party(ADA).sockets[&program].clone();
    assert_eq!(at_ada.sent, b"SSH-2.0\r\nbye");
    assert!(at_ada.is_finished && !at_ada.is_reset && !at_ada.is_closed);
    let state = state(&mut world);
    assert_eq!(
        (&state["connections"], &state["failed"]),
        (&1.into(), &0.into())
    );
    assert_eq!(
        (&state["sent_bytes"], &state["received_bytes"]),
        (&5.into(), &12.into())
    );
}

#[test]
fn resets_pass_both_ways_and_a_whole_half_is_not_lost_by_one() {
    let mut world = serving();
    let (program, application) = connect(&mut world);
    end(&mut world, ADA, SocketNews::Broken(program));
    assert!(world.party(BEN).sockets[&application].is_reset);
    let (program, application) = connect(&mut world);
    end(&mut world, BEN, SocketNews::Broken(application));
    assert!(world.party(ADA).sockets[&program].is_reset);
    // It says all, ends, and hears nothing of what still comes: the program gets all that was said.
    let (program, application) = connect(&mut world);
    read(&mut world, BEN, application, b"413");
    world.on_socket(BEN, SocketNews::Ended(application));
    world.on_socket(BEN, SocketNews::Broken(application));
    world.run(SOON);
    let at_ada = world.party(ADA).sockets[&program].clone();
    assert_eq!(at_ada.sent, b"413");
    assert!(at_ada.is_finished && at_ada.is_closed && !at_ada.is_reset);
}

#[test]
fn a_target_that_does_not_listen_is_an_error_and_no_empty_success() {
    let mut world = serving();
    world.party(BEN).listens = false;
    let program = world.program(ADA, PORT).expect("one is wanted");
    world.run(SOON);
    let socket = world.party(ADA).sockets[&program].clone();
    assert!(socket.is_reset && !socket.is_finished);
    let shown = state(&mut world);
    assert_eq!(shown["last_error"], "service_unavailable");
    assert!(shown["last_error_at"].is_string());
    offer(&mut world, "[]");
    let program = world.program(ADA, PORT).expect("the next one");
    world.run(SOON);
    assert!(world.party(ADA).sockets[&program].is_reset);
    let shown = state(&mut world);
    assert_eq!(shown["last_error"], "no_such_service");
    assert_eq!(
        (&shown["connections"], &shown["failed"]),
        (&2.into(), &2.into())
    );
    let events = world.send(
        ADA,
        ask("GET", "/v1/events?types=forward_failed").header("Last-Event-ID", "0"),
    );
    world.run(SOON);
    let told = String::from_utf8(world.response(ADA, events).body).expect("text");
    assert!(
        told.contains("gap") || told.contains("forward_failed"),
        "{told}"
    );
}

#[test]
fn a_failure_is_told_as_it_happens() {
    let mut world = serving();
    let events = world.send(ADA, ask("GET", "/v1/events?types=forward_failed"));
    world.party(BEN).listens = false;
    let _ = world.program(ADA, PORT);
    world.run(SOON);
    let told = String::from_utf8(world.response(ADA, events).body).expect("text");
    for part in [
        "\"forward\":\"ssh\"",
        "\"reason\":\"service_unavailable\"",
        "\"service\":\"ssh\"",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn neither_side_is_read_faster_than_the_other_takes() {
    let mut world = serving();
    let (program, application) = connect(&mut world);
    for (n, from, other) in [(ADA, program, BEN), (BEN, application, ADA)] {
        world.party(other).writes = false;
        let mut given = 0;
        for _ in 0..400 {
            let credit = world.party(n).sockets[&from].credit;
            if credit > 0 {
                given += credit;
                let bytes = Bytes::from(vec![7; credit]);
                world.on_socket(n, SocketNews::Read(from, bytes));
            }
            world.run(Duration::from_millis(50));
        }
        // What is held: 256 KiB at each node, and the windows of the stream between.
        assert!(
            (256 << 10..6 << 20).contains(&given),
            "{given} bytes from {n}"
        );
        world.party(other).writes = true;
        let to = if n == ADA { application } else { program };
        let held = world.party(other).sockets[&to].sent.len();
        assert!(held <= 256 << 10, "{held} bytes for one that takes none");
        end(&mut world, other, SocketNews::Written(to, held));
        world.run(Duration::from_secs(5));
        assert_eq!(world.party(other).sockets[&to].sent.len(), given);
    }
}

#[test]
fn a_connection_waits_for_the_peer_and_finds_it_again() {
    let mut world = serving();
    let (program, _) = connect(&mut world);
    let gone = world.get(ADA, ask("DELETE", "/v1/peers/ben/connection"));
    assert_eq!(gone.status, 204);
    world.run(SOON);
    assert!(world.party(ADA).sockets[&program].is_reset);
    let program = world.program(ADA, PORT).expect("the port is still there");
    assert_eq!(state(&mut world)["waiting"], 1);
    world.run(Duration::from_secs(3));
    let application = *world.party(BEN).sockets.keys().next_back().expect("one");
    read(&mut world, ADA, program, b"again");
    assert_eq!(world.party(BEN).sockets[&application].sent, b"again");
    // Where the peer cannot be had, the program is told.
    assert_eq!(
        world
            .get(ADA, ask("DELETE", "/v1/peers/ben/connection"))
            .status,
        204
    );
    world.run(SOON);
    world.cut = true;
    let program = world.program(ADA, PORT).expect("the port is still there");
    world.run(Duration::from_secs(20));
    assert!(world.party(ADA).sockets[&program].is_reset);
    let shown = state(&mut world);
    assert_eq!(
        (&shown["waiting"], &shown["failed"]),
        (&0.into(), &1.into())
    );
    assert_eq!(shown["last_error"], "connect_timed_out");
}

#[test]
fn strangers_have_bounds_and_whom_the_owner_named_has_none_of_them() {
    let mut world = serving();
    let reset = |world: &mut World| {
        let ids: Vec<_> = (0..20)
            .map(|_| {
                let id = world.program(ADA, PORT).expect("one is wanted");
                world.run(Duration::from_millis(20));
                id
            })
            .collect();
        world.run(SOON);
        let sockets = &world.party(ADA).sockets;
        let reset = ids.iter().filter(|id| sockets[id].is_reset).count();
        for id in ids {
            world.on_socket(ADA, SocketNews::Broken(id));
        }
        world.run(SOON);
        reset
    };
    assert_eq!(reset(&mut world), 12, "ada is a stranger to ben: 8");
    assert_eq!(state(&mut world)["last_error"], "service_busy");
    let ada = world.id(ADA);
    offer(&mut world, &format!("[\"peer:{ada}\"]"));
    assert_eq!(reset(&mut world), 0);
}

#[test]
fn taking_back_ends_what_is_under_way() {
    let mut world = serving();
    let (program, application) = connect(&mut world);
    offer(&mut world, "[]");
    world.run(SOON);
    assert!(world.party(BEN).sockets[&application].is_reset);
    assert!(world.party(ADA).sockets[&program].is_reset);
    offer(&mut world, r#"["anyone"]"#);
    let (program, application) = connect(&mut world);
    assert_eq!(
        world.get(ADA, ask("DELETE", "/v1/forwards/ssh")).status,
        204
    );
    world.run(SOON);
    assert!(world.party(BEN).sockets[&application].is_reset);
    assert!(world.party(ADA).sockets[&program].is_reset);
    assert!(world.party(ADA).ports.is_empty(), "nobody listens");
    let missing = world.get(ADA, ask("DELETE", "/v1/forwards/ssh"));
    assert_eq!(missing.code(), "forward_not_found");
}

#[test]
fn a_forward_keeps_its_port_and_may_lead_elsewhere() {
    let mut world = serving();
    let (program, _) = connect(&mut world);
    let same = r#"{"peer": "ben", "service": "ssh", "listen": "127.0.0.1:2222"}"#;
    assert_eq!(forward(&mut world, "ssh", same).json()["connections"], 1);
    assert!(
        !world.party(ADA).sockets[&program].is_reset,
        "nothing changed"
    );
    let in_use = forward(&mut world, "other", same);
    assert_eq!(
        (in_use.status, in_use.code().as_str()),
        (409, "listen_in_use")
    );
    let elsewhere = same.replace("\"ssh\"", "\"git\"");
    let moved = forward(&mut world, "ssh", &elsewhere).json();
    assert_eq!(
        (&moved["service"], &moved["connections"]),
        (&"git".into(), &0.into())
    );
    assert!(
        world.party(ADA).sockets[&program].is_reset,
        "it led to another service"
    );
    let other = world.program(ADA, PORT).expect("one is wanted");
    world.run(SOON);
    assert!(world.party(ADA).sockets[&other].is_reset);
    assert_eq!(state(&mut world)["last_error"], "no_such_service");
    let anywhere = forward(&mut world, "ssh", r#"{"peer": "ben", "service": "ssh"}"#).json();
    let listen = anywhere["listen"].as_str().expect("an address");
    assert!(listen.starts_with("127.0.0.1:4"), "{listen}");
    assert_eq!(world.party(ADA).ports.len(), 1, "the port before is closed");
}

#[test]
fn what_cannot_lead_anywhere_is_refused() {
    let mut world = serving();
    for (body, code) in [
        (
            r#"{"peer": "ben", "service": "ssh", "listen": "0.0.0.0:1"}"#,
            "invalid_body",
        ),
        (
            r#"{"peer": "ben", "service": "ssh", "listen": "192.0.2.1:1"}"#,
            "invalid_body",
        ),
        (
            r#"{"peer": "ben", "service": "ssh", "listen": "localhost:1"}"#,
            "invalid_body",
        ),
        (r#"{"peer": "ben", "service": "a/b"}"#, "invalid_body"),
        (r#"{"peer": "nobody", "service": "ssh"}"#, "peer_not_found"),
        (r#"{"peer": "ben"}"#, "invalid_body"),
    ] {
        let refused = forward(&mut world, "x", body);
        assert_eq!(refused.code(), code, "{body}: {}", refused.text());
    }
    let own = format!(r#"{{"peer": "{}", "service": "ssh"}}"#, world.id(ADA));
    assert_eq!(forward(&mut world, "x", &own).code(), "own_id");
    for (target, code) in [
        ("127.0.0.1:2222", "target_not_allowed"),
        ("127.0.0.1:8080", "target_not_allowed"),
        ("10.0.0.1:22", "target_not_allowed"),
        ("http://127.0.0.1:22", "target_not_allowed"),
    ] {
        let body = format!(r#"{{"deliver": "tcp", "target": "{target}", "allow": []}}"#);
        let refused = world.get(ADA, ask("PUT", "/v1/services/x").json(&body));
        assert_eq!(refused.code(), code, "{target}");
    }
    for body in [
        r#"{"deliver": "tcp", "target": "127.0.0.1:22"}"#,
        r#"{"deliver": "tcp", "allow": []}"#,
        r#"{"deliver": "tcp", "target": "127.0.0.1:22", "allow": [], "timeout_ms": 1000}"#,
    ] {
        let refused = world.get(ADA, ask("PUT", "/v1/services/x").json(body));
        assert_eq!(refused.code(), "invalid_body", "{body}");
    }
    let mut last = forward(&mut world, "0", r#"{"peer": "ben", "service": "ssh"}"#);
    for n in 1..64 {
        last = forward(
            &mut world,
            &n.to_string(),
            r#"{"peer": "ben", "service": "ssh"}"#,
        );
    }
    assert_eq!(last.code(), "limit_reached", "64, with the one named ssh");
}

#[test]
fn a_port_is_open_to_others_only_where_the_owner_said_so() {
    let mut world = serving();
    let now = world.now;
    let mut config = world::surface_config(ADA, Default::default());
    config.local_forwards = false;
    world.party(ADA).surface = Surface::new(config, now, 1_770_000_000_000);
    let id = world.id(BEN);
    for (listen, status) in [
        ("0.0.0.0:2300", 200),
        ("[::]:2301", 200),
        ("127.0.0.1:2302", 200),
        ("localhost:2303", 422),
        ("0.0.0.0", 422),
    ] {
        let body = format!(r#"{{"peer": "{id}", "service": "ssh", "listen": "{listen}"}}"#);
        let made = forward(&mut world, "x", &body);
        assert_eq!(made.status, status, "{listen}: {}", made.text());
    }
}
