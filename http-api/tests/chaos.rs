//! Requests made of random pieces: the surface answers each with a status and its protections, never panics, and
//! gives the same answers to the same requests.

mod world;

use core::time::Duration;

use p2p_core::rng::Rng;
use world::{ADA, Ask, Response, World, ask, bare};

const PIECES: &[&str] = &[
    "/",
    "v1",
    "peers",
    "ben",
    "connect",
    "why",
    "inbox",
    "ack",
    "streams",
    "messages",
    "events",
    "%",
    "%2e%2e",
    "%00",
    "%ff",
    "?",
    "&",
    "=",
    "wait=0",
    "limit=3",
    "since=00000000-1",
    "channel=1",
    "channel=-1",
    "q=abc",
    "..",
    "//",
    "#",
    "static",
    "app.css",
    "auth",
    "login",
    "requests",
    "echo",
    "services",
    "introducers",
    "é",
    " ",
    "\t",
    "@",
    "~",
    "x",
    "settings",
    "search",
    "datagrams",
    "7",
    "99999999999999999999",
    "answer",
    "docs",
    "openapi.json",
    ":",
    "*",
];
const TARGETS: &[&str] = &[
    "/v1/introducers",
    "/v1/inbox/ack",
    "/v1/auth/login",
    "/v1/auth/logout",
    "/v1/auth/tickets",
    "/v1/peers/ben/datagrams?channel=1",
    "/v1/peers/ben/messages",
    "/v1/peers/ben/streams",
    "/v1/peers/ben/requests/echo",
    "/v1/services/x",
    "/v1/peers/ben/ping",
    "/v1/inbox?wait=1",
];
const BODIES: &[&str] = &[
    "",
    "{}",
    "{",
    "[]",
    "null",
    "{\"cursor\":\"00000000-1\"}",
    "{\"cursor\":1e999}",
    "{\"address\":\"p2p://\"}",
    "{\"timeout_ms\":18446744073709551616}",
    "{\"deliver\":\"inbox\"}",
    "{\"deliver\":{}}",
    "{\"a\":1,\"a\":2}",
    "{\"ticket\":\"\\ud800\"}",
    "\u{0}",
    "{\"introducer\":\"<script>alert(1)</script>\"}",
];
const METHODS: &[&str] = &[
    "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "", "get", "G ET",
];
const FIELDS: &[(&str, &str)] = &[
    ("Content-Type", "application/json"),
    ("Content-Type", "application/json; charset=utf-8"),
    ("Content-Type", "multipart/form-data; boundary=x"),
    ("Content-Length", "99999999999"),
    ("Prefer", "wait=99999999999999999999"),
    ("Prefer", "wait=1, respond-async"),
    ("Last-Event-ID", "x\u{0}y"),
    ("Cookie", "p2p_session_8080=x; p2p_session_8080"),
    ("If-None-Match", "\"x\", W/\"y\""),
    ("X-CSRF", ""),
];

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[usize::try_from(rng.below(from.len() as u64)).expect("small")]
}

fn random(rng: &mut Rng) -> Ask {
    let mut target = if rng.below(10) == 0 {
        String::new()
    } else {
        "/".to_owned()
    };
    for _ in 0..rng.below(7) {
        target.push_str(pick(rng, PIECES));
        if rng.below(3) > 0 {
            target.push('/');
        }
    }
    if rng.below(3) == 0 {
        target = pick(rng, TARGETS).to_owned();
    }
    let method = pick(rng, METHODS);
    let mut made = if rng.below(8) == 0 {
        bare(method, &target)
    } else {
        ask(method, &target)
    };
    for _ in 0..rng.below(3) {
        let (name, value) = pick(rng, FIELDS);
        made = made.header(name, value);
    }
    if rng.below(2) == 0 {
        made = made.body(pick(rng, BODIES));
    }
    made
}

fn assert_sound(ask: &Ask, response: &Response) {
    let Response { status, body, .. } = response;
    assert!(
        (200..600).contains(status),
        "{:?}: {response:?}",
        ask.request
    );
    assert!(response.header("content-security-policy").is_some());
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    let text = String::from_utf8_lossy(body);
    assert!(!text.contains("<script>alert"), "{text}");
    let kind = response.header("content-type").unwrap_or_default();
    if *status >= 400 {
        assert_eq!(kind, "application/problem+json", "{:?}", ask.request);
    }
    if kind.contains("json") && ask.request.method != "HEAD" {
        assert!(
            serde_json::from_slice::<serde_json::Value>(body).is_ok(),
            "{text}"
        );
    }
}

fn play(seed: u8, requests: usize) -> Vec<(u16, Vec<u8>)> {
    let mut rng = Rng::from_seed([seed; 32]);
    let mut world = World::connected();
    let mut told = Vec::new();
    for i in 0..requests {
        let ask = random(&mut rng);
        let id = world.send(ADA, ask.clone());
        if i % 20 == 0 {
            world.run(Duration::from_millis(rng.below(500)));
        }
        let response = world.response(ADA, id);
        if response.status == 0 || !response.is_complete {
            world.hang_up(ADA, id);
        }
        if response.status != 0 {
            assert_sound(&ask, &response);
        }
        told.push((response.status, response.body));
    }
    assert_eq!(world.get(ADA, ask("GET", "/healthz")).status, 200);
    told
}

#[test]
fn random_requests_are_answered_soundly() {
    let told = play(1, 20_000);
    let with = |status: u16| told.iter().filter(|(s, _)| *s == status).count();
    for status in [200, 204, 400, 401, 404, 405, 413, 415, 422] {
        assert!(with(status) > 0, "{status} never came");
    }
}

#[test]
fn the_same_requests_get_the_same_answers() {
    assert_eq!(play(2, 1_500), play(2, 1_500));
}
