//! HTTP services of peers, with the application in the test's hand: who reaches them, what passes, and what becomes of
//! exchanges that break.

mod world;

use core::time::Duration;

use bytes::Bytes;
use p2p_http_api::{HttpId, SocketNews};
use world::{ADA, Ask, BEN, Response, World, ask, bare};

const WEB: &str = "/v1/peers/ben/services/web";
const SOON: Duration = Duration::from_millis(300);

fn offer(world: &mut World, allow: &str) -> Response {
    let body = format!(
        r#"{{"deliver": "http", "target": "http://127.0.0.1:3000/app", "allow": {allow}, "head_timeout_ms": 5000}}"#
    );
    world.get(BEN, ask("PUT", "/v1/services/web").json(&body))
}

/// Two connected nodes; ben's service is for anyone.
fn serving() -> World {
    let mut world = World::connected();
    assert_eq!(offer(&mut world, r#"["anyone"]"#).status, 200);
    world
}

fn begin(world: &mut World, ask: Ask) -> HttpId {
    let id = world.send(ADA, ask);
    world.run(SOON);
    id
}

fn answer(world: &mut World, text: &str) {
    let bytes = Bytes::from(text.replace('\n', "\r\n"));
    world.application(BEN, |id| SocketNews::Read(id, bytes));
    world.run(SOON);
}

fn sent(world: &mut World) -> String {
    String::from_utf8(world.newest_socket(BEN).sent).expect("ASCII")
}

#[test]
fn a_program_reaches_an_application_of_a_peer() {
    let mut world = serving();
    let ada = world.id(ADA);
    let asked = ask("GET", &format!("{WEB}/a%20b/c?d=e"))
        .header("X-P2P-Peer-Id", "forged")
        .header("Range", "bytes=0-1");
    let id = begin(&mut world, asked);
    let request = sent(&mut world);
    let lines: Vec<&str> = request.split("\r\n").collect();
    assert_eq!(lines[0], "GET /app/a%20b/c?d=e HTTP/1.1");
    for line in [
        "host: 127.0.0.1:3000",
        "range: bytes=0-1",
        &format!("x-p2p-peer-id: {ada}"),
        "x-p2p-service: web",
        "x-forwarded-host: localhost:8080",
        "connection: close",
    ] {
        assert_eq!(
            lines.iter().filter(|l| **l == line).count(),
            1,
            "{line}: {request}"
        );
    }
    assert!(
        !request.contains("forged") && !request.contains("uthorization"),
        "{request}"
    );
    answer(
        &mut world,
        "HTTP/1.1 206 Partial Content\nContent-Length: 2\nX-P2P-Problem: x\n\nhi",
    );
    let response = world.response(ADA, id);
    assert!(response.is_complete && !response.is_aborted);
    assert_eq!((response.status, response.length), (206, Some(2)));
    assert_eq!(response.body, b"hi");
    assert_eq!(response.header("x-p2p-problem"), None);
    assert!(world.newest_socket(BEN).is_closed);
    assert!(!world.party(ADA).surface.is_open(id));
}

#[test]
fn bodies_of_any_size_flow_both_ways_with_back_pressure() {
    let mut world = serving();
    let upload = vec![b'u'; 700_000];
    let id = begin(
        &mut world,
        ask("PUT", &format!("{WEB}/up")).body(upload.clone()),
    );
    world.run(Duration::from_secs(2));
    let request = world.newest_socket(BEN).sent;
    assert!(request.ends_with(&upload) && request.len() < 701_000);
    world.party(ADA).reads = false;
    answer(&mut world, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n");
    answer(&mut world, "\n");
    let mut given = 0;
    for _ in 0..400 {
        let credit = world.newest_socket(BEN).credit;
        if credit >= 20_000 {
            let mut chunk = b"4e20\r\n".to_vec();
            chunk.extend_from_slice(&[b'd'; 20_000]);
            chunk.extend_from_slice(b"\r\n");
            if credit >= chunk.len() {
                given += 20_000;
                world.application(BEN, |id| SocketNews::Read(id, chunk.into()));
            }
        }
        world.run(Duration::from_millis(50));
    }
    // What is held: at both nodes, and in the windows of the stream between.
    assert!(
        given < 6 << 20,
        "{given} bytes for a client that reads nothing"
    );
    let now = world.now;
    world.party(ADA).read_on(now);
    world.run(Duration::from_secs(5));
    answer(&mut world, "0\n\n");
    world.run(Duration::from_secs(5));
    let response = world.response(ADA, id);
    assert!(response.is_complete, "{} of {given}", response.body.len());
    assert_eq!(response.body.len(), given);
}

#[test]
fn whoever_may_not_use_a_service_is_told_that_there_is_none() {
    let mut world = World::connected();
    let missing = world.get(ADA, ask("GET", &format!("{WEB}/")));
    assert_eq!(
        (missing.code().as_str(), missing.status),
        ("no_such_service", 404)
    );
    assert_eq!(missing.header("x-p2p-problem"), Some("no_such_service"));
    offer(&mut world, "[]");
    let refused = world.get(ADA, ask("GET", &format!("{WEB}/")));
    assert_eq!(refused.text(), missing.text());
    assert!(world.party(BEN).sockets.is_empty());
    let inbox = world.get(BEN, ask("GET", "/v1/inbox?type=stream")).json();
    assert_eq!(
        inbox["items"].as_array().map(Vec::len),
        Some(0),
        "not the application's"
    );
    let ada = world.id(ADA);
    offer(&mut world, &format!("[\"peer:{ada}\"]"));
    let id = begin(&mut world, ask("GET", &format!("{WEB}/")));
    // The right is taken away in the middle.
    answer(&mut world, "HTTP/1.1 200 OK\nContent-Length: 5\n\nab");
    offer(&mut world, "[]");
    world.run(SOON);
    assert!(world.response(ADA, id).is_aborted);
    assert!(world.newest_socket(BEN).is_reset);
}

#[test]
fn the_token_opens_the_way_and_never_leaves_the_node() {
    let mut world = serving();
    let token = world::bearer().replace("Bearer ", "");
    let nobody = world.get(ADA, bare("GET", &format!("{WEB}/")));
    assert_eq!(nobody.code(), "unauthorized");
    let asked = bare("GET", &format!("{WEB}/"))
        .header("P2P-Token", &token)
        .header("Authorization", "Basic YTpi")
        .header("Cookie", "p2p_session_8080=secret; a=b");
    begin(&mut world, asked);
    let request = sent(&mut world);
    assert!(
        request.contains("authorization: Basic YTpi\r\ncookie: a=b\r\n"),
        "{request}"
    );
    assert!(
        !request.contains(&token) && !request.contains("secret"),
        "{request}"
    );
}

#[test]
fn the_token_does_not_leave_beside_itself_either() {
    let mut world = serving();
    let token = world::bearer().replace("Bearer ", "");
    for scheme in ["Bearer", "bearer ", "BEARER"] {
        let asked = bare("GET", &format!("{WEB}/"))
            .header("P2P-Token", &token)
            .header("Authorization", &format!("{scheme} {token}"));
        begin(&mut world, asked);
        let request = sent(&mut world);
        assert!(!request.contains(&token), "{request}");
    }
}

#[test]
fn a_service_without_its_slash_says_where_it_begins() {
    let mut world = serving();
    let moved = world.get(ADA, ask("GET", &format!("{WEB}?a=b")));
    assert_eq!(moved.status, 308);
    assert_eq!(moved.header("location"), Some(&*format!("{WEB}/?a=b")));
    let moved = world.get(ADA, ask("POST", WEB).body("x"));
    assert_eq!(moved.header("location"), Some(&*format!("{WEB}/")));
    assert!(world.party(BEN).sockets.is_empty());
    let nobody = world.get(ADA, bare("GET", WEB));
    assert_eq!(nobody.code(), "unauthorized");
}

#[test]
fn half_bodies_never_look_whole() {
    let mut world = serving();
    type End = fn(p2p_http_api::SocketId) -> SocketNews;
    let cases: &[(&str, End)] = &[
        ("Content-Length: 5\n\nabc", SocketNews::Ended),
        ("Content-Length: 5\n\nabc", SocketNews::Broken),
        ("Transfer-Encoding: chunked\n\n3\nabc\n", SocketNews::Ended),
        ("X: y\n\nabc", SocketNews::Broken),
    ];
    for (rest, end) in cases {
        let id = begin(&mut world, ask("GET", &format!("{WEB}/")));
        answer(&mut world, &format!("HTTP/1.1 200 OK\n{rest}"));
        assert_eq!(world.response(ADA, id).body, b"abc");
        world.application(BEN, end);
        world.run(SOON);
        let response = world.response(ADA, id);
        assert!(
            response.is_aborted && !response.is_complete,
            "{rest}: {response:?}"
        );
    }
    // Without a length, the end of the connection is the end of the body.
    let id = begin(&mut world, ask("GET", &format!("{WEB}/")));
    answer(&mut world, "HTTP/1.0 200 OK\n\nabc");
    world.application(BEN, SocketNews::Ended);
    world.run(SOON);
    assert!(world.response(ADA, id).is_complete);
    // An upload whose client goes away is cut at the application.
    let upload = ask("POST", &format!("{WEB}/")).header("Transfer-Encoding", "chunked");
    let id = begin(&mut world, upload.open_ended());
    world.upload(ADA, id, b"abc", false);
    world.run(SOON);
    assert!(sent(&mut world).ends_with("3\r\nabc\r\n"));
    world.hang_up(ADA, id);
    world.run(SOON);
    assert!(world.newest_socket(BEN).is_reset, "not ended well");
    assert!(sent(&mut world).ends_with("3\r\nabc\r\n"));
}

#[test]
fn answers_without_a_body_tell_what_they_can() {
    let mut world = serving();
    for (method, head, status, length) in [
        ("HEAD", "200 OK\nContent-Length: 77", 200, Some(77)),
        ("GET", "304 Not Modified\nETag: x", 304, None),
        ("DELETE", "204 No Content", 204, None),
        ("GET", "200 OK\nContent-Length: 0", 200, Some(0)),
    ] {
        let id = begin(&mut world, ask(method, &format!("{WEB}/")));
        answer(&mut world, &format!("HTTP/1.1 {head}\n\n"));
        let response = world.response(ADA, id);
        assert!(response.is_complete, "{head}");
        assert_eq!(
            (response.status, response.length),
            (status, length),
            "{head}"
        );
        assert!(!world.party(ADA).surface.is_open(id), "{head}");
    }
}

#[test]
fn an_early_answer_comes_through_and_the_upload_ends() {
    let mut world = serving();
    let upload = ask("PUT", &format!("{WEB}/")).header("Content-Length", "90000000");
    let id = begin(&mut world, upload.open_ended());
    world.upload(ADA, id, &[0; 5_000], false);
    world.run(SOON);
    answer(
        &mut world,
        "HTTP/1.1 413 Too Large\nContent-Length: 2\n\nno",
    );
    let response = world.response(ADA, id);
    assert!(response.is_complete);
    assert_eq!((response.status, &response.body[..]), (413, &b"no"[..]));
    // What the program still sends is taken for a while, and thrown away.
    world.upload(ADA, id, &[0; 50_000], false);
    assert!(world.party(ADA).surface.is_open(id));
    world.run(Duration::from_secs(3));
    assert!(!world.party(ADA).surface.is_open(id));
    assert!(world.newest_socket(BEN).sent.len() < 6_000);
}

#[test]
fn strangers_and_peers_have_bounds_of_their_own() {
    let mut world = serving();
    let ids: Vec<_> = (0..70)
        .map(|_| world.send(ADA, ask("GET", &format!("{WEB}/"))))
        .collect();
    world.run(Duration::from_secs(1));
    let busy = ids
        .iter()
        .filter(|id| world.response(ADA, **id).status == 503)
        .count();
    let open = world.party(BEN).sockets.len();
    assert_eq!((open, busy), (8, 62), "ada is a stranger to ben");
    assert_eq!(world.response(ADA, ids[69]).code(), "service_busy");
}

#[test]
fn services_need_a_list_and_an_address_of_their_own() {
    let mut world = World::connected();
    for (name, body, code) in [
        (
            "web",
            r#"{"deliver": "http", "target": "http://127.0.0.1:3000"}"#,
            "invalid_body",
        ),
        ("web", r#"{"deliver": "http", "allow": []}"#, "invalid_body"),
        (
            "web",
            r#"{"deliver": "http", "target": "http://127.0.0.1:3000", "allow": [], "url": "x"}"#,
            "invalid_body",
        ),
        (
            "web",
            r#"{"deliver": "http", "target": "http://127.0.0.1:8080", "allow": []}"#,
            "target_not_allowed",
        ),
        (
            "web",
            r#"{"deliver": "http", "target": "http://10.0.0.1:80", "allow": []}"#,
            "target_not_allowed",
        ),
        (
            "web",
            r#"{"deliver": "http", "target": "http://127.0.0.1:3000/?a", "allow": []}"#,
            "target_not_allowed",
        ),
        (
            "web",
            r#"{"deliver": "http", "target": "http://127.0.0.1:3000/../a", "allow": []}"#,
            "target_not_allowed",
        ),
        (
            "Web",
            r#"{"deliver": "http", "target": "http://127.0.0.1:3000", "allow": []}"#,
            "invalid_parameter",
        ),
    ] {
        let put = ask("PUT", &format!("/v1/services/{name}")).json(body);
        let refused = world.get(BEN, put);
        assert_eq!(refused.code(), code, "{body}: {}", refused.text());
    }
    offer(&mut world, r#"["anyone"]"#);
    let list = world.get(BEN, ask("GET", "/v1/services")).json();
    let web = list["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|s| s["name"] == "web");
    let web = web.expect("it is there");
    assert_eq!(web["deliver"], "http");
    assert_eq!(web["target"], "http://127.0.0.1:3000/app");
    assert_eq!(web["allow"][0], "anyone");
}
