//! Every documented error code can be produced, and each looks as docs/errors.md says.

mod world;

use core::time::Duration;
use p2p_core::api::Engine;
use std::collections::BTreeSet;

use world::{ADA, Ask, BEN, INTRODUCER, Response, World, ask, bare, config};

const DOCUMENTATION: &str = include_str!("../../docs/errors.md");

/// Codes that need a fault inside the engine or two rare coincidences; their mapping is tested beside the code.
const TESTED_BESIDE_THE_CODE: &[&str] = &[
    "connect_cancelled",
    "connect_refused",
    "key_mismatch",
    "name_changed",
    "request_cancelled",
];

/// Codes from the documentation with their statuses.
fn documented() -> Vec<(String, u16)> {
    let rows = DOCUMENTATION.lines().filter(|l| l.starts_with("| <a"));
    let cell = |row: &str, n: usize| row.split('|').nth(n).unwrap_or_default().trim().to_owned();
    let code = |row: &str| {
        cell(row, 1)
            .split('`')
            .nth(1)
            .unwrap_or_default()
            .to_owned()
    };
    rows.map(|row| (code(row), cell(row, 2).parse().expect("a status")))
        .collect()
}

struct Seen {
    codes: BTreeSet<String>,
    documented: Vec<(String, u16)>,
}

impl Seen {
    fn expect(&mut self, code: &str, response: &Response) {
        let kind = response.header("content-type");
        assert_eq!(
            kind,
            Some("application/problem+json"),
            "{code}: {response:?}"
        );
        let body = response.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], response.status);
        assert_eq!(body["type"], format!("/docs/errors#{code}"));
        let row = self.documented.iter().find(|(c, _)| c == code);
        assert_eq!(row.map(|(_, s)| *s), Some(response.status), "{code}");
        for member in ["title", "detail", "hint"] {
            assert!(
                body[member].as_str().is_some_and(|t| !t.is_empty()),
                "{code}: {member}"
            );
        }
        assert!(body["retryable"].is_boolean());
        self.codes.insert(code.to_owned());
    }

    fn all(&mut self, world: &mut World, cases: Vec<(&str, Ask)>) {
        for (code, ask) in cases {
            let response = world.get(ADA, ask);
            self.expect(code, &response);
        }
    }
}

fn at_the_door(seen: &mut Seen) {
    let mut world = World::alone();
    let mut far = ask("GET", "/v1/node");
    far.request.peer_is_loopback = false;
    let login = |body: &str| bare("POST", "/v1/auth/login").json(body);
    let cases = vec![
        ("not_loopback", far),
        ("host_not_allowed", ask("GET", "/v1/node").without("Host")),
        (
            "cross_site",
            ask("GET", "/v1/node").header("Origin", "http://evil.example"),
        ),
        ("bad_target", ask("GET", "/v1/%zz")),
        ("unauthorized", bare("GET", "/v1/node")),
        ("ticket_invalid", login("{\"ticket\":\"x\"}")),
        ("not_found", ask("GET", "/v1/nothing")),
        ("method_not_allowed", ask("PATCH", "/v1/node")),
    ];
    seen.all(&mut world, cases);
    let ticket = world.get(ADA, ask("POST", "/v1/auth/tickets")).json();
    let response = world.get(ADA, login(&format!("{{\"ticket\":{}}}", ticket["ticket"])));
    let cookie = response
        .header("set-cookie")
        .and_then(|c| c.split(';').next())
        .unwrap();
    let csrf = response.json()["csrf"].as_str().unwrap().to_owned();
    let logged_in = |method: &str, path: &str| bare(method, path).header("Cookie", cookie);
    let cases = vec![
        ("csrf_required", logged_in("POST", "/v1/auth/logout")),
        (
            "csrf_required",
            logged_in("POST", "/v1/auth/logout").header("X-CSRF", "x"),
        ),
        (
            "token_required",
            logged_in("POST", "/v1/auth/tickets").header("X-CSRF", &csrf),
        ),
    ];
    seen.all(&mut world, cases);
    let wrong = || bare("GET", "/v1/node").header("Authorization", "Bearer x");
    for _ in 0..10 {
        world.get(ADA, wrong());
    }
    seen.all(&mut world, vec![("locked_out", wrong())]);
}

fn in_what_was_sent(seen: &mut Seen) {
    let mut world = World::alone();
    let add = || ask("POST", "/v1/introducers");
    let long = "x".repeat(20_000);
    let own = world.id(ADA);
    let cases = vec![
        (
            "body_too_large",
            add().json(&format!("{{\"address\":\"{long}\"}}")),
        ),
        (
            "body_too_large",
            add().json(&long).without("Content-Length"),
        ),
        ("unsupported_media_type", add().body("{}")),
        (
            "unsupported_media_type",
            add().header("Content-Type", "text/plain").body("{}"),
        ),
        ("body_timed_out", add().json("{\"address\"").open_ended()),
        ("malformed_json", add().json("{\"address\"")),
        ("invalid_body", add().json("{\"address\":7}")),
        ("invalid_body", add().json("{\"address\":\"http://x\"}")),
        ("invalid_body", add().json("{}")),
        ("unknown_field", add().json("{\"adress\":\"p2p://x\"}")),
        ("invalid_parameter", ask("GET", "/v1/peers?limit=0")),
        ("invalid_parameter", ask("GET", "/v1/search")),
        ("unknown_parameter", ask("GET", "/v1/peers?limits=5")),
        ("peer_not_found", ask("GET", "/v1/peers/nobody")),
        ("own_id", ask("GET", &format!("/v1/peers/{own}"))),
        (
            "introducer_not_found",
            ask("DELETE", "/v1/introducers/abcdefgh"),
        ),
        ("no_introducer", ask("GET", "/v1/search?q=abc")),
        ("message_not_found", ask("GET", "/v1/messages/7")),
        ("item_not_found", ask("GET", "/v1/inbox/00000000-1")),
        (
            "request_not_found",
            ask("POST", "/v1/requests/00000000-1/answer").body(""),
        ),
        ("service_not_registered", ask("DELETE", "/v1/services/x")),
        (
            "target_not_allowed",
            ask("PUT", "/v1/services/x")
                .json(r#"{"deliver": "webhook", "url": "http://10.0.0.1:80/", "allow": []}"#),
        ),
    ];
    seen.all(&mut world, cases);
    let unknown = world
        .get(ADA, add().json("{\"address\":\"p2p://x\",\"adress\":1}"))
        .json();
    assert_eq!(unknown["errors"][0]["pointer"], "/adress");
    let html = world.get(ADA, add().json("{\"<script>\":1}"));
    assert_eq!(html.header("x-content-type-options"), Some("nosniff"));
    world.get(
        ADA,
        add().json(&format!(
            "{{\"address\":\"p2p://{}@10.0.0.9:1\"}}",
            other(9)
        )),
    );
    let search = world.get(ADA, ask("GET", "/v1/search?q=abc"));
    seen.expect("introducer_unreachable", &search);
    for i in 0..256 {
        let put = ask("PUT", &format!("/v1/services/s{i}")).json("{\"deliver\":\"inbox\"}");
        assert_eq!(world.get(ADA, put).status, 200);
    }
    let put = ask("PUT", "/v1/services/more").json("{\"deliver\":\"inbox\"}");
    seen.all(&mut world, vec![("limit_reached", put)]);
    let open = || {
        ask("POST", "/v1/introducers")
            .header("Content-Type", "application/json")
            .open_ended()
    };
    for _ in 0..512 {
        world.send(ADA, open());
    }
    let full = world.get(ADA, ask("GET", "/v1/node"));
    seen.expect("busy", &full);
    assert!(full.header("retry-after").is_some());
}

/// An id that nobody in the world has.
fn other(n: u8) -> p2p_core::id::NodeId {
    p2p_core::Node::new(world::config(n), p2p_core::time::Instant::EPOCH)
        .expect("valid")
        .id()
}

fn between_two(seen: &mut Seen) {
    let mut world = World::three();
    let connect =
        |who: &str| ask("POST", &format!("/v1/peers/{who}/connect")).json("{\"timeout_ms\":3000}");
    let unknown = world.get(ADA, connect("carla"));
    seen.expect("peer_not_found", &unknown);
    assert_eq!(world.get(ADA, connect("ben")).status, 200);
    world.run(Duration::from_secs(2));
    let put = ask("PUT", "/v1/services/slow").json("{\"deliver\":\"inbox\"}");
    world.get(BEN, put);
    let request = |service: &str| {
        ask(
            "POST",
            &format!("/v1/peers/ben/requests/{service}?timeout_ms=3000"),
        )
        .body("x")
    };
    let cases = vec![
        ("no_such_service", request("nothing")),
        ("request_timed_out", request("slow")),
        (
            "body_too_large",
            ask("POST", "/v1/peers/ben/datagrams").body(vec![0; 1_081]),
        ),
        ("stream_not_found", ask("GET", "/v1/peers/ben/streams/77")),
    ];
    seen.all(&mut world, cases);
    for (code, status) in [
        ("service_refused", 2),
        ("service_busy", 3),
        ("service_unavailable", 4),
        ("service_broken", 5),
        ("answer_too_large", 6),
        ("service_failed", 16),
    ] {
        let waiting = world.send(ADA, request("slow"));
        world.run(Duration::from_millis(500));
        let list = world
            .get(BEN, ask("GET", "/v1/inbox?type=request&wait=5&limit=500"))
            .json();
        let id = list["items"]
            .as_array()
            .and_then(|i| i.last()?["id"].as_str())
            .unwrap()
            .to_owned();
        let answer = ask("POST", &format!("/v1/requests/{id}/answer?status={status}")).body("no");
        assert_eq!(world.get(BEN, answer).status, 204);
        world.get(
            BEN,
            ask("POST", "/v1/inbox/ack").json(&format!("{{\"cursor\":\"{id}\"}}")),
        );
        world.run(Duration::from_secs(1));
        let response = world.response(ADA, waiting);
        seen.expect(code, &response);
        assert_eq!(response.json()["answer_status"], status);
        assert_eq!(response.json()["answer_base64"], "bm8=");
    }
    streams(seen, &mut world);
    let waiting = world.send(ADA, request("slow"));
    world.run(Duration::from_millis(100));
    world.get(ADA, ask("DELETE", "/v1/peers/ben/connection"));
    world.run(Duration::from_secs(1));
    let response = world.response(ADA, waiting);
    seen.expect("disconnected", &response);
    let send = world.get(ADA, ask("POST", "/v1/peers/ben/messages").body("x"));
    seen.expect("not_connected", &send);
    world.cut = true;
    let response = world.get(ADA, connect("ben"));
    seen.expect("connect_timed_out", &response);
}

fn streams(seen: &mut Seen, world: &mut World) {
    let up = world.send(
        ADA,
        ask("POST", "/v1/peers/ben/streams").body("x").open_ended(),
    );
    let list = world
        .get(BEN, ask("GET", "/v1/inbox?type=stream&wait=5"))
        .json();
    let stream = list["items"][0]["stream"]
        .as_str()
        .expect("a stream")
        .to_owned();
    let place = format!("/v1/peers/{}/streams/{stream}", world.id(ADA));
    let early = world.get(BEN, ask("POST", &format!("{place}/taken")));
    seen.expect("stream_not_ended", &early);
    let write = world.send(BEN, ask("POST", &place).body("y").open_ended());
    let second = world.get(BEN, ask("POST", &place).body("z"));
    seen.expect("stream_busy", &second);
    world.hang_up(ADA, up);
    world.run(Duration::from_secs(1));
    let stopped = world.response(BEN, write);
    seen.expect("stream_stopped", &stopped);
}

/// What a peer's HTTP service may come to.
fn through_to_an_application(seen: &mut Seen) {
    let mut world = World::connected();
    let web = || ask("GET", "/v1/peers/ben/services/web/");
    let offer = r#"{"deliver": "http", "target": "http://127.0.0.1:3000", "allow": ["anyone"],
        "head_timeout_ms": 2000}"#;
    world.get(BEN, ask("PUT", "/v1/services/web").json(offer));
    world.get(
        BEN,
        ask("PUT", "/v1/services/kept").json(r#"{"deliver": "inbox"}"#),
    );
    let ben = world.id(BEN);
    let mark = format!("1.0 fred, 1.1 p2p-{}", &ben[..8]);
    let both = web().header("Content-Length", "1");
    let cases = vec![
        (
            "service_wrong_kind",
            ask("GET", "/v1/peers/ben/services/kept/"),
        ),
        ("proxy_loop", web().header("Via", &mark)),
        ("head_too_large", web().header("X-Long", &"x".repeat(9_000))),
        ("bad_framing", both.header("Transfer-Encoding", "chunked")),
        (
            "method_not_allowed",
            ask("TRACE", "/v1/peers/ben/services/web/"),
        ),
        (
            "bad_target",
            ask("GET", "/v1/peers/ben/services/web/%2e%2e/x"),
        ),
        ("service_timed_out", web()),
        ("forward_not_found", ask("GET", "/v1/forwards/x")),
        ("listen_refused", forward("x", 22)),
    ];
    seen.all(&mut world, cases);
    assert_eq!(world.get(ADA, forward("x", 2_222)).status, 200);
    let in_use = world.get(ADA, forward("y", 2_222));
    seen.expect("listen_in_use", &in_use);
    world.party(BEN).listens = false;
    let mut websocket = web()
        .header("Connection", "upgrade")
        .header("Upgrade", "websocket");
    websocket.request.can_upgrade = false;
    let refused = world.get(ADA, websocket);
    seen.expect("upgrade_not_supported", &refused);
    let refused = world.get(ADA, ask("GET", "/v1/peers/ben/line"));
    seen.expect("upgrade_required", &refused);
    let refused = world.get(ADA, web());
    seen.expect("service_unavailable", &refused);
    world.party(BEN).listens = true;
    let broken = world.send(ADA, web());
    world.run(Duration::from_secs(1));
    world.application(BEN, p2p_http_api::SocketNews::Ended);
    world.run(Duration::from_secs(1));
    let broken = world.response(ADA, broken);
    seen.expect("service_broken", &broken);
    assert_eq!(broken.header("x-p2p-problem"), Some("service_broken"));
}

fn forward(name: &str, port: u16) -> Ask {
    let body = format!(r#"{{"peer": "ben", "service": "raw", "listen": "127.0.0.1:{port}"}}"#);
    ask("PUT", &format!("/v1/forwards/{name}")).json(&body)
}

fn about_people(seen: &mut Seen) {
    let mut world = World::alone();
    let contact = |n: u8, rest: &str| format!("/v1/contacts/{}{rest}", other(n));
    let named = || r#"{"petname":"grace"}"#;
    world.get(ADA, ask("PUT", &contact(8, "")).json(named()));
    world.get(ADA, ask("POST", &contact(8, "/block")));
    let connect = format!("/v1/peers/{}/connect", other(8));
    let cases = vec![
        ("petname_taken", ask("PUT", &contact(9, "")).json(named())),
        ("contact_not_found", ask("GET", &contact(9, ""))),
        ("peer_blocked", ask("POST", &connect).json("{}")),
    ];
    seen.all(&mut world, cases);
    world.party(ADA).surface.set_kept();
    let put = world.send(ADA, ask("PUT", &contact(9, "")).json("{}"));
    let order = world.party(ADA).surface.poll_order();
    let (order, _) = order.expect("something to keep");
    world.handle_kept(ADA, order, false);
    world.run(Duration::from_secs(1));
    let full = world.response(ADA, put);
    seen.expect("not_kept", &full);
}

fn about_invitations(seen: &mut Seen) {
    let mut world = World::connected();
    let invite = || ask("POST", "/v1/invites");
    let accept = |link: &str| {
        let body = format!("{{\"link\":\"{link}\"}}");
        ask("POST", "/v1/invites/accept").json(&body)
    };
    let link = |world: &mut World| {
        let made = world.get(ADA, invite()).json();
        made["link"].as_str().expect("a link").to_owned()
    };
    let (first, second) = (link(&mut world), link(&mut world));
    let invalid = world.get(BEN, accept(first.get(..40).expect("longer")));
    seen.expect("invite_invalid", &invalid);
    let unknown = world.get(ADA, ask("DELETE", "/v1/invites/yyyy"));
    seen.expect("invite_unknown", &unknown);
    assert_eq!(world.get(BEN, accept(&first)).status, 200);
    let used = world.get(INTRODUCER, accept(&first));
    seen.expect("invite_used", &used);
    world.run(Duration::from_secs(86_400));
    let expired = world.get(BEN, accept(&second));
    seen.expect("invite_expired", &expired);

    let mut world = World::empty();
    let mut hidden = config(ADA);
    hidden.local_addresses = Vec::new().into();
    world.add(ADA, hidden);
    let unreachable = world.get(ADA, invite());
    seen.expect("invite_unreachable", &unreachable);
}

fn with_files(seen: &mut Seen) {
    let mut world = World::connected();
    let nothing = r#"{"peer":"ben","paths":["/nothing"]}"#;
    let sent = world.get(ADA, ask("POST", "/v1/transfers").json(nothing));
    let id = sent.json()["id"].as_str().expect("an id").to_owned();
    let cancel = |id: &str| ask("POST", &format!("/v1/transfers/{id}/cancel"));
    let cases = vec![
        ("transfer_state", cancel(&id)),
        ("transfer_not_found", cancel("0123456789abcdef")),
        ("transfer_not_found", cancel(&id[1..])),
    ];
    seen.all(&mut world, cases);
}

fn among_many(seen: &mut Seen) {
    let mut world = World::three();
    for n in [8, 9] {
        let place = format!("{{\"address\":\"p2p://{}@10.0.0.9:1\"}}", other(n));
        world.get(ADA, ask("POST", "/v1/introducers").json(&place));
    }
    let twins = world.get(ADA, ask("GET", "/v1/introducers/10.0.0.9"));
    seen.expect("peer_ambiguous", &twins);
    for _ in 0..40 {
        let search = world.get(ADA, ask("GET", "/v1/search?q=nobody"));
        if search.status == 429 {
            seen.expect("throttled", &search);
            assert!(search.header("retry-after").is_some());
            break;
        }
    }
    let party = world.party(ADA);
    let now = p2p_core::time::Instant::from_millis(900_000);
    let shut = party
        .node
        .handle_command(now, p2p_core::api::Command::Shutdown);
    assert!(shut.is_ok());
    let response = world.get(ADA, ask("POST", "/v1/peers/ben/connect"));
    seen.expect("shut_down", &response);
}

#[test]
fn every_documented_code_can_be_produced() {
    let documented = documented();
    let mut seen = Seen {
        codes: BTreeSet::new(),
        documented: documented.clone(),
    };
    at_the_door(&mut seen);
    in_what_was_sent(&mut seen);
    between_two(&mut seen);
    through_to_an_application(&mut seen);
    about_people(&mut seen);
    about_invitations(&mut seen);
    with_files(&mut seen);
    among_many(&mut seen);
    let beside = |code: &str| TESTED_BESIDE_THE_CODE.contains(&code);
    let missing: Vec<_> = documented
        .iter()
        .filter(|(code, _)| !seen.codes.contains(code) && !beside(code))
        .collect();
    assert!(missing.is_empty(), "never produced: {missing:?}");
}
