//! Two nodes talk through their surfaces: connect, look, all four levels both ways.

mod world;

use core::time::Duration;

use world::{ADA, BEN, INTRODUCER, Response, World, ask, config};

fn second() -> Duration {
    Duration::from_secs(1)
}

#[test]
fn an_id_at_an_address_is_connected_without_an_introducer() {
    let mut world = World::alone();
    let ben = world.add(BEN, config(BEN)).to_string();
    let connect = |place: &str| ask("POST", &format!("/v1/peers/{ben}@{place}/connect")).json("{}");
    let connected = world.get(ADA, connect("10.0.0.3:6660"));
    assert_eq!(connected.status, 200, "{}", connected.text());
    assert_eq!(connected.json()["peer"], ben.as_str());
    assert_eq!(connected.json()["path"]["kind"], "direct");
    let refused = world.get(BEN, connect("10.0.0.3:6660"));
    assert_eq!(refused.json()["code"], "own_id", "{}", refused.text());
    let refused = world.get(ADA, connect("nowhere.example:6660"));
    assert_eq!(refused.json()["code"], "introducer_not_found");
}

#[test]
fn a_name_is_found_connected_and_explained() {
    let mut world = World::three();
    let ben = world.id(BEN);
    let node = world.get(ADA, ask("GET", "/v1/node")).json();
    assert_eq!(node["introducers"][0]["state"], "registered");
    assert_eq!(node["fingerprint"].as_array().map(Vec::len), Some(8));
    let found = world.get(ADA, ask("GET", "/v1/search?q=ben"));
    assert_eq!(
        found.json()["items"][0]["id"],
        ben.as_str(),
        "{}",
        found.text()
    );
    let introducer = world.id(INTRODUCER);
    let target = format!("/v1/peers/ben@{}/connect", &introducer[..8]);
    let connected = world.get(ADA, ask("POST", &target).json("{\"timeout_ms\":9000}"));
    assert_eq!(connected.status, 200, "{}", connected.text());
    assert_eq!(connected.json()["peer"], ben.as_str());
    world.run(Duration::from_secs(2));
    for spelling in [ben.as_str(), &ben[..8], "ben", "ben@10.0.0.1"] {
        let path = world.get(ADA, ask("GET", &format!("/v1/peers/{spelling}/path")));
        assert_eq!(path.json()["kind"], "direct", "{spelling}: {}", path.text());
    }
    let why = world.get(ADA, ask("GET", "/v1/peers/ben/why")).json();
    assert_eq!(why["verdict"], "direct");
    assert!(why["attempts"].as_array().is_some_and(|a| !a.is_empty()));
    let list = world
        .get(ADA, ask("GET", "/v1/peers?state=connected&q=be"))
        .json();
    assert_eq!(list["items"][0]["name"], "ben");
    let pong = world.get(ADA, ask("POST", "/v1/peers/ben/ping")).json();
    assert_eq!(pong["lost"], false, "{pong}");
    assert_eq!(
        world
            .get(ADA, ask("DELETE", "/v1/peers/ben/connection"))
            .status,
        204
    );
    world.run(second());
    let path = world.get(ADA, ask("GET", "/v1/peers/ben/path"));
    assert_eq!(path.status, 409, "{}", path.text());
    assert_eq!(path.code(), "not_connected");
    let peer = world.get(ADA, ask("GET", "/v1/peers/ben")).json();
    assert_eq!(peer["state"], "disconnected");
    assert_eq!(peer["path"], serde_json::Value::Null);
}

#[test]
fn datagrams_arrive_in_the_inbox() {
    let mut world = World::connected();
    let sent = world.get(
        ADA,
        ask("POST", "/v1/peers/ben/datagrams?channel=7").body("tick"),
    );
    assert_eq!(sent.status, 202, "{}", sent.text());
    world.get(
        ADA,
        ask("POST", "/v1/peers/ben/datagrams?channel=8").body(vec![0xFF, 0xFE]),
    );
    let list = world
        .get(BEN, ask("GET", "/v1/inbox?wait=5&channel=7"))
        .json();
    let item = &list["items"][0];
    assert_eq!(item["type"], "datagram");
    assert_eq!(item["channel"], 7);
    assert_eq!(item["text"], "tick");
    let list = world
        .get(BEN, ask("GET", "/v1/inbox?wait=5&channel=8"))
        .json();
    assert_eq!(list["items"][0]["text"], serde_json::Value::Null);
    assert_eq!(list["items"][0]["data_base64"], "//4=");
    let content = format!("/v1/inbox/{}", list["next"].as_str().unwrap());
    let content = world.get(BEN, ask("GET", &content));
    assert_eq!(content.body, [0xFF, 0xFE]);
    assert_eq!(content.header("content-disposition"), Some("attachment"));
}

#[test]
fn services_tell_datagrams_messages_and_streams_apart() {
    let mut world = World::connected();
    let sends = [
        ("datagrams?service=web&flags=5", "datagram"),
        ("messages?service=web", "message"),
        ("datagrams?service=chat%20room", "datagram"),
        ("messages?channel=3&flags=4294967295", "message"),
    ];
    for (target, body) in sends {
        let target = format!("/v1/peers/ben/{target}");
        let sent = world.get(ADA, ask("POST", &target).body(body));
        assert!(sent.status < 300, "{target}: {}", sent.text());
        world.run(second());
    }
    let open = ask("POST", "/v1/peers/ben/streams?service=web&flags=1").open_ended();
    world.send(ADA, open);
    world.run(second());
    let list = |world: &mut World, query: &str| {
        let list = world
            .get(BEN, ask("GET", &format!("/v1/inbox?{query}")))
            .json();
        let items = list["items"].as_array().expect("a list").clone();
        let what = |item: &serde_json::Value| {
            let kind = item["type"].as_str().unwrap_or_default().to_owned();
            (kind, item["service"].clone(), item["flags"].as_u64())
        };
        items.iter().map(what).collect::<Vec<_>>()
    };
    let web = |kind: &str, flags| (kind.to_owned(), "web".into(), Some(flags));
    let all_of_web = [web("datagram", 5), web("message", 0), web("stream", 1)];
    assert_eq!(list(&mut world, "service=web"), all_of_web);
    let room = ("datagram".to_owned(), "chat room".into(), Some(0));
    assert_eq!(list(&mut world, "service=chat%20room"), [room]);
    let three = list(&mut world, "channel=3");
    assert_eq!(three[0].2, Some(u64::from(u32::MAX)));
    assert_eq!((three.len(), list(&mut world, "limit=99").len()), (1, 5));
    let last = world.get(BEN, ask("GET", "/v1/inbox")).json()["next"].clone();
    let body = serde_json::json!({"cursor": last, "service": "web"}).to_string();
    let ack = ask("POST", "/v1/inbox/ack").body(body);
    let ack = world.get(BEN, ack.header("content-type", "application/json"));
    assert_eq!(ack.json()["acknowledged"], 3, "{}", ack.text());
    assert_eq!(list(&mut world, "limit=99").len(), 2);
    for wrong in ["service=web&channel=1", "service=", "flags=4294967296"] {
        let target = format!("/v1/peers/ben/datagrams?{wrong}");
        let refused = world.get(ADA, ask("POST", &target).body("x"));
        assert_eq!(refused.code(), "invalid_parameter", "{wrong}");
    }
}

#[test]
fn a_request_says_how_often_it_may_be_handed_on() {
    let mut world = World::connected();
    let offer = ask("PUT", "/v1/services/quiz").body(r#"{"deliver": "inbox"}"#);
    let offer = world.get(BEN, offer.header("content-type", "application/json"));
    assert!(offer.status < 300, "{}", offer.text());
    for (query, forwards) in [("", 0), ("?forwards=3", 3)] {
        let target = format!("/v1/peers/ben/requests/quiz{query}");
        world.send(ADA, ask("POST", &target).body("who?"));
        let list = world
            .get(BEN, ask("GET", "/v1/inbox?wait=5&service=quiz"))
            .json();
        let item = &list["items"][0];
        assert_eq!(item["forwards"], forwards, "{list}");
        assert_eq!(
            (&item["type"], &item["channel"]),
            (&"request".into(), &serde_json::Value::Null)
        );
        let answer = format!(
            "/v1/requests/{}/answer",
            item["id"].as_str().expect("an id")
        );
        assert_eq!(world.get(BEN, ask("POST", &answer)).status, 204);
        let body = serde_json::json!({"cursor": item["id"]}).to_string();
        let ack = ask("POST", "/v1/inbox/ack").body(body);
        world.get(BEN, ack.header("content-type", "application/json"));
    }
    let target = "/v1/peers/ben/requests/quiz?forwards=4";
    let refused = world.get(ADA, ask("POST", target).body("x"));
    assert_eq!(refused.code(), "invalid_parameter");
}

#[test]
fn the_latest_value_of_a_key_is_told_as_an_event() {
    let mut world = World::connected();
    let follower = world.send(BEN, ask("GET", "/v1/events?types=latest"));
    world.run(second());
    for (key, value) in [("cursor", "1"), ("cursor", "2"), ("presence", "away")] {
        let target = format!("/v1/peers/ben/latest/{key}");
        let set = world.get(ADA, ask("PUT", &target).body(value));
        assert_eq!(set.status, 202, "{}", set.text());
    }
    world.run(second());
    let told = world.response(BEN, follower).text();
    let place = |what: &str| told.find(what);
    assert!(place("\"key\":\"cursor\"").is_some(), "{told}");
    let (newest, other) = (place("\"text\":\"2\""), place("\"text\":\"away\""));
    assert!(newest.is_some() && other.is_some(), "{told}");
    assert!(place("\"text\":\"1\"") < newest, "{told}");
    let long = format!("/v1/peers/ben/latest/{}", "k".repeat(49));
    let refused = world.get(ADA, ask("PUT", &long).body("x"));
    assert_eq!(refused.code(), "invalid_parameter", "{}", refused.text());
}

#[test]
fn requests_are_answered_by_the_node_or_by_the_application() {
    let mut world = World::connected();
    let request = |service: &str| {
        ask(
            "POST",
            &format!("/v1/peers/ben/requests/{service}?timeout_ms=5000"),
        )
        .body("2+2")
    };
    assert_eq!(world.get(ADA, request("echo")).body, b"2+2");
    let hello = world.get(ADA, request("node.hello")).json();
    assert_eq!(hello["name"], "ben");
    assert_eq!(world.get(ADA, request("sum")).code(), "no_such_service");

    let put = ask("PUT", "/v1/services/sum").json("{\"deliver\":\"inbox\"}");
    assert_eq!(world.get(BEN, put).status, 200);
    let waiting = world.send(ADA, request("sum"));
    let list = world
        .get(BEN, ask("GET", "/v1/inbox?type=request&wait=5"))
        .json();
    assert_eq!(list["items"][0]["service"], "sum");
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    let answer = |status: u16| {
        let target = format!("/v1/requests/{id}/answer?status={status}");
        ask("POST", &target).body("4")
    };
    assert_eq!(world.get(BEN, answer(0)).status, 204);
    assert_eq!(
        world.get(BEN, answer(0)).code(),
        "request_not_found",
        "answered once"
    );
    world.run(second());
    let response = world.response(ADA, waiting);
    assert_eq!((response.status, response.body), (200, b"4".to_vec()));

    assert_eq!(
        world.get(BEN, ask("DELETE", "/v1/services/sum")).status,
        204
    );
    assert_eq!(world.get(ADA, request("sum")).code(), "no_such_service");
}

#[test]
fn messages_arrive_whole_and_tell_their_state() {
    let mut world = World::connected();
    let body: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
    let send = ask("POST", "/v1/peers/ben/messages?channel=1").body(body.clone());
    let sent = world.get(ADA, send.header("Prefer", "wait=20"));
    assert_eq!(sent.status, 201);
    assert_eq!(sent.json()["state"], "delivered", "{}", sent.text());
    let location = sent.header("location").unwrap().to_owned();
    assert_eq!(
        world.get(ADA, ask("GET", &location)).json()["size_bytes"],
        300_000
    );
    let list = world
        .get(BEN, ask("GET", "/v1/inbox?type=message&wait=5"))
        .json();
    let id = list["items"][0]["id"].as_str().unwrap();
    let content = world.get(BEN, ask("GET", &format!("/v1/inbox/{id}")));
    assert_eq!(content.body, body);

    let queued = world.get(ADA, ask("POST", "/v1/peers/ben/messages").body("x"));
    assert_eq!(queued.json()["state"], "queued");
    let location = queued.header("location").unwrap().to_owned();
    let ended = world.get(ADA, ask("GET", &location).header("Prefer", "wait=5"));
    assert_eq!(ended.json()["state"], "delivered");
}

fn incoming_stream(world: &mut World) -> String {
    let list = world
        .get(BEN, ask("GET", "/v1/inbox?type=stream&wait=5"))
        .json();
    list["items"][0]["stream"]
        .as_str()
        .expect("a stream")
        .to_owned()
}

#[test]
fn a_stream_goes_both_ways_at_once() {
    let mut world = World::connected();
    let open = ask("POST", "/v1/peers/ben/streams?channel=3")
        .body("first ")
        .open_ended();
    let up = world.send(ADA, open);
    let head = world.response(ADA, up);
    assert_eq!(head.status, 200, "the head comes at once");
    assert!(head.header("x-stream-id").is_some());
    let stream = incoming_stream(&mut world);
    let ada = world.id(ADA);
    let place = format!("/v1/peers/{ada}/streams/{stream}");
    let down = world.send(BEN, ask("GET", &place));
    world.run(second());
    assert_eq!(world.response(BEN, down).body, b"first ");
    assert_eq!(world.get(BEN, ask("GET", &place)).code(), "stream_busy");
    world.upload(ADA, up, b"second", true);
    world.run(second());
    let read: Response = world.response(BEN, down);
    assert!(read.is_complete);
    assert_eq!(read.body, b"first second");
    let written = world.get(BEN, ask("POST", &place).body("answer"));
    assert_eq!(written.json()["written_bytes"], 6, "{}", written.text());
    let answer = world.response(ADA, up);
    assert!(answer.is_complete);
    assert_eq!(answer.body, b"answer");
    assert_eq!(
        world.get(BEN, ask("GET", &place)).code(),
        "stream_not_found"
    );
}

#[test]
fn a_long_stream_is_whole_and_a_slow_reader_holds_the_writer() {
    let mut world = World::connected();
    let body: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 253) as u8).collect();
    let up = world.send(ADA, ask("POST", "/v1/peers/ben/streams").body(body.clone()));
    let stream = incoming_stream(&mut world);
    let ada = world.id(ADA);
    world.party(BEN).reads = false;
    let down = world.send(
        BEN,
        ask("GET", &format!("/v1/peers/{ada}/streams/{stream}")),
    );
    world.run(Duration::from_secs(5));
    let held = world.response(BEN, down).body.len();
    assert!(
        held <= 256 << 10,
        "{held} bytes are handed to a client that does not read"
    );
    assert!(world.party(ADA).surface.is_open(up));
    let now = world.now;
    world.party(BEN).read_on(now);
    world.run(Duration::from_secs(20));
    let read = world.response(BEN, down);
    assert!(read.is_complete);
    assert_eq!(read.body.len(), body.len());
    assert_eq!(read.body, body);
}

#[test]
fn a_response_ends_only_when_the_other_application_has_taken_all() {
    let mut world = World::connected();
    let up = world.send(ADA, ask("POST", "/v1/peers/ben/streams").body("all of it"));
    let stream = incoming_stream(&mut world);
    let ada = world.id(ADA);
    let place = format!("/v1/peers/{ada}/streams/{stream}");
    // Ben's half ends at once.
    let write = world.send(BEN, ask("POST", &place));
    world.run(second());
    assert!(!world.response(ADA, up).is_complete, "nobody has read it");
    let read = world.get(BEN, ask("GET", &format!("{place}?confirm=1")));
    assert_eq!(read.body, b"all of it");
    world.run(second());
    assert!(!world.response(ADA, up).is_complete, "read is not taken");
    let taken = world.get(BEN, ask("POST", &format!("{place}/taken")));
    assert_eq!(taken.status, 204, "{}", taken.text());
    world.run(second());
    assert!(world.response(ADA, up).is_complete);
    assert!(
        world.response(BEN, write).is_complete,
        "ada has read nothing to its end"
    );
}

#[test]
fn a_reading_that_nobody_confirms_breaks_its_sender() {
    let mut world = World::connected();
    let up = world.send(ADA, ask("POST", "/v1/peers/ben/streams").body("all of it"));
    let stream = incoming_stream(&mut world);
    let ada = world.id(ADA);
    let place = format!("/v1/peers/{ada}/streams/{stream}");
    world.get(BEN, ask("GET", &format!("{place}?confirm=1")));
    world.run(Duration::from_secs(59));
    assert!(!world.response(ADA, up).is_aborted);
    world.run(Duration::from_secs(2));
    assert!(world.response(ADA, up).is_aborted);
    let late = world.get(BEN, ask("POST", &format!("{place}/taken")));
    assert_eq!(late.code(), "stream_not_found");
}

#[test]
fn a_reader_that_goes_away_breaks_its_sender_also_at_the_very_end() {
    for body in ["half", "all"] {
        let mut world = World::connected();
        let up = ask("POST", "/v1/peers/ben/streams").body(body);
        let up = if body == "half" { up.open_ended() } else { up };
        let up = world.send(ADA, up);
        let stream = incoming_stream(&mut world);
        let ada = world.id(ADA);
        let place = format!("/v1/peers/{ada}/streams/{stream}");
        world.party(BEN).reads = false;
        let read = world.send(BEN, ask("GET", &place));
        world.run(second());
        world.hang_up(BEN, read);
        world.run(second());
        let response = world.response(ADA, up);
        assert!(response.is_aborted && !response.is_complete, "{body}");
        assert!(!world.party(ADA).surface.is_open(up), "{body}");
    }
}

#[test]
fn a_stream_is_given_up_by_request() {
    let mut world = World::connected();
    let up = world.send(
        ADA,
        ask("POST", "/v1/peers/ben/streams").body("x").open_ended(),
    );
    let stream = incoming_stream(&mut world);
    let ada = world.id(ADA);
    let place = format!("/v1/peers/{ada}/streams/{stream}");
    let read = world.send(BEN, ask("GET", &place));
    let write = world.send(BEN, ask("POST", &place).body("y").open_ended());
    world.run(second());
    assert_eq!(world.get(BEN, ask("DELETE", &place)).status, 204);
    assert!(world.response(BEN, read).is_aborted);
    world.run(second());
    assert!(world.response(ADA, up).is_aborted);
    assert_eq!(world.response(BEN, write).code(), "stream_stopped");
}

/// A response that ends with the peer's direction goes on although our own direction is still open.
#[test]
fn a_response_may_end_with_the_peers_direction() {
    let mut world = World::connected();
    let open = ask("POST", "/v1/peers/ben/streams?until=peer").body("x");
    let up = world.send(ADA, open.open_ended());
    let stream = incoming_stream(&mut world);
    let ada = world.id(ADA);
    let place = format!("/v1/peers/{ada}/streams/{stream}");
    let write = world.get(BEN, ask("POST", &place).body("answer"));
    assert_eq!(write.status, 200, "{}", write.text());
    let response = world.response(ADA, up);
    assert!(response.is_complete);
    assert_eq!(response.body, b"answer");
}

/// Uploads that their clients gave up hold nothing that later ones need.
#[test]
fn uploads_that_were_given_up_give_their_credit_back() {
    let mut world = World::connected();
    let body = vec![7; 3_000_000];
    for _ in 0..8 {
        let up = ask("POST", "/v1/peers/ben/streams?channel=9").body(body.clone());
        let up = world.send(ADA, up);
        world.run(second());
        world.hang_up(ADA, up);
    }
    world.run(second());
    let listed = world.get(BEN, ask("GET", "/v1/inbox?type=stream")).json();
    let dead = listed["next"].as_str().expect("items").to_owned();
    let ack = ask("POST", "/v1/inbox/ack").json(&format!("{{\"cursor\":\"{dead}\"}}"));
    world.get(BEN, ack);
    world.send(ADA, ask("POST", "/v1/peers/ben/streams").body(body.clone()));
    let stream = incoming_stream(&mut world);
    let ada = world.id(ADA);
    let read = world.get(
        BEN,
        ask("GET", &format!("/v1/peers/{ada}/streams/{stream}")),
    );
    assert!(read.body == body, "{} bytes", read.body.len());
}

#[test]
fn a_client_that_goes_away_breaks_the_stream_for_the_peer() {
    let mut world = World::connected();
    let up = world.send(
        ADA,
        ask("POST", "/v1/peers/ben/streams")
            .body("half")
            .open_ended(),
    );
    let stream = incoming_stream(&mut world);
    let ada = world.id(ADA);
    let down = world.send(
        BEN,
        ask("GET", &format!("/v1/peers/{ada}/streams/{stream}")),
    );
    world.run(second());
    world.hang_up(ADA, up);
    world.run(second());
    let read = world.response(BEN, down);
    assert!(read.is_aborted, "a cut stream never looks whole: {read:?}");
    assert!(!world.party(BEN).surface.is_open(down));
}

#[test]
fn the_first_generations_paths_still_lead_there() {
    let mut world = World::three();
    let paths = ["/peers", "/settings", "/peers/search/ben"];
    for (path, successor) in paths
        .iter()
        .zip(["/v1/peers", "/v1/settings", "/v1/search"])
    {
        let response = world.get(ADA, ask("GET", path));
        assert_eq!(response.status, 200, "{path}");
        assert!(response.header("deprecation").is_some(), "{path}");
        let link = format!("<{successor}>; rel=\"successor-version\"");
        assert_eq!(response.header("link"), Some(link.as_str()));
    }
    let settings = world.get(ADA, ask("GET", "/v1/settings")).json();
    assert_eq!(settings["settings"]["network"], "p2p");
    let get = world.get(ADA, ask("GET", "/peers/connect/ben@10.0.0.1"));
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
    assert!(get.text().contains("GET must not change state"));
    let post = world.get(ADA, ask("POST", "/peers/connect/ben@10.0.0.1"));
    assert_eq!(post.status, 200, "{}", post.text());
    assert!(post.header("deprecation").is_some());
}
