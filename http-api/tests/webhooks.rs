//! Requests of peers that a program of this machine answers over HTTP, with that program in the test's hand.

mod world;

use core::time::Duration;

use world::{ADA, BEN, Response, World, ask};

fn offer(world: &mut World, body: &str) -> Response {
    world.get(BEN, ask("PUT", "/v1/services/quiz").json(body))
}

/// What the application answers is the peer's answer; whoever is not on the list finds no service.
#[test]
fn a_webhook_is_asked_by_those_on_its_list_only() {
    let mut world = World::connected();
    let ada = world.id(ADA);
    let quiz = || ask("POST", "/v1/peers/ben/requests/quiz").body("who?");
    let closed = r#"{"deliver": "webhook", "url": "http://127.0.0.1:3000/quiz", "allow": []}"#;
    let made = offer(&mut world, closed).json();
    let secret = made["secret"].as_str().expect("told once").to_owned();
    assert!(secret.starts_with("whsec_"), "{secret}");
    let refused = world.get(ADA, quiz());
    let missing = world.get(ADA, ask("POST", "/v1/peers/ben/requests/none").body("who?"));
    assert_eq!(
        (refused.code(), refused.status),
        (missing.code(), missing.status)
    );
    assert!(world.party(BEN).surface.poll_callback().is_none());

    let open = closed.replace("[]", &format!("[\"peer:{ada}\"]"));
    let again = offer(&mut world, &open).json();
    assert_eq!(again["secret"], serde_json::Value::Null, "{again}");
    let asked = world.send(ADA, quiz());
    world.run(Duration::from_millis(500));
    let callback = world.party(BEN).surface.poll_callback().expect("a request");
    assert_eq!(
        (callback.path.as_str(), &callback.body[..]),
        ("/quiz", &b"who?"[..])
    );
    let header = |name| {
        callback
            .headers
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, v)| v)
    };
    assert_eq!(header("x-p2p-peer-id"), Some(&ada.to_string()));
    assert_eq!(header("x-p2p-service"), Some(&"quiz".to_owned()));
    let now = world.now;
    let party = world.party(BEN);
    let end = p2p_http_api::CallbackEnd::Answered {
        status: 200,
        body: "me".into(),
    };
    party
        .surface
        .handle_callback_end(now, &mut party.node, callback.id, end);
    world.run(Duration::from_millis(500));
    let answer = world.response(ADA, asked);
    assert_eq!((answer.status, &answer.body[..]), (200, &b"me"[..]));
}

#[test]
fn a_webhook_needs_a_list_and_an_address_of_its_own() {
    let mut world = World::connected();
    for (body, code) in [
        (
            r#"{"deliver": "webhook", "url": "http://127.0.0.1:3000/"}"#,
            "invalid_body",
        ),
        (
            r#"{"deliver": "webhook", "allow": ["anyone"]}"#,
            "invalid_body",
        ),
        (
            r#"{"deliver": "inbox", "allow": ["anyone"]}"#,
            "invalid_body",
        ),
        (
            r#"{"deliver": "webhook", "url": "http://127.0.0.1:3000/", "allow": ["all"]}"#,
            "invalid_body",
        ),
        (
            r#"{"deliver": "webhook", "url": "http://127.0.0.1:8080/", "allow": []}"#,
            "target_not_allowed",
        ),
        (
            r#"{"deliver": "webhook", "url": "http://10.0.0.5:3000/", "allow": []}"#,
            "target_not_allowed",
        ),
    ] {
        let refused = offer(&mut world, body);
        assert_eq!(refused.code(), code, "{body}: {}", refused.text());
    }
}
