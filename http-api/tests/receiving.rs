//! The inbox and live events under load: long poll, back-pressure without loss, resume, gap, slow followers.

mod world;

use core::time::Duration;

use world::{ADA, BEN, INTRODUCER, World, ask, config};

/// A friend of ben's.
const CARA: u8 = 4;

fn ids(list: &serde_json::Value) -> Vec<String> {
    let items = list["items"].as_array().expect("items");
    items
        .iter()
        .map(|i| i["id"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn a_long_poll_ends_with_the_first_item_or_with_its_time() {
    let mut world = World::connected();
    let begun = world.now;
    let empty = world.get(BEN, ask("GET", "/v1/inbox?wait=3")).json();
    assert!(ids(&empty).is_empty());
    assert!(world.now.saturating_since(begun) >= Duration::from_secs(3));
    let waiting = world.send(BEN, ask("GET", "/v1/inbox?wait=30&channel=2"));
    world.get(
        ADA,
        ask("POST", "/v1/peers/ben/messages?channel=1").body("other"),
    );
    world.run(Duration::from_secs(1));
    assert!(!world.response(BEN, waiting).is_complete, "another channel");
    world.get(
        ADA,
        ask("POST", "/v1/peers/ben/messages?channel=2").body("this"),
    );
    world.run(Duration::from_secs(1));
    let list = world.response(BEN, waiting).json();
    assert_eq!(list["items"][0]["text"], "this");
}

#[test]
fn items_come_again_until_they_are_acknowledged() {
    let mut world = World::connected();
    for text in ["one", "two", "three"] {
        let send = ask("POST", "/v1/peers/ben/messages?channel=1").body(text);
        world.get(ADA, send.header("Prefer", "wait=5"));
    }
    let list = |world: &mut World, query: &str| {
        ids(&world
            .get(BEN, ask("GET", &format!("/v1/inbox{query}")))
            .json())
    };
    let all = list(&mut world, "");
    assert_eq!(all.len(), 3);
    assert_eq!(list(&mut world, ""), all, "again");
    assert_eq!(list(&mut world, &format!("?since={}", all[0])), all[1..]);
    assert_eq!(list(&mut world, "?limit=1"), all[..1]);
    let ack =
        |cursor: &str| ask("POST", "/v1/inbox/ack").json(&format!("{{\"cursor\":\"{cursor}\"}}"));
    let old_run = world.get(BEN, ack("00000000-99")).json();
    assert_eq!(
        old_run["acknowledged"], 0,
        "a cursor of another run frees nothing"
    );
    assert_eq!(world.get(BEN, ack(&all[1])).json()["acknowledged"], 2);
    assert_eq!(list(&mut world, ""), all[2..]);
    let gone = format!("/v1/inbox/{}", all[0]);
    assert_eq!(world.get(BEN, ask("GET", &gone)).code(), "item_not_found");
}

/// Ben writes to ada, by her id, as her name is a claim to him: she is no stranger any more.
fn choose_ada(world: &mut World) {
    let by_name = ask("POST", "/v1/peers/ada/datagrams").body("hello");
    assert_eq!(world.get(BEN, by_name).code(), "peer_not_found");
    let ada = world.id(ADA);
    let send = ask("POST", &format!("/v1/peers/{ada}/datagrams")).body("hello");
    assert_eq!(world.get(BEN, send).status, 202);
    world.run(Duration::from_secs(2));
}

#[test]
fn it_is_told_before_the_inbox_is_full_and_when_there_is_room_again() {
    let mut world = World::connected();
    choose_ada(&mut world);
    let events = world.send(BEN, ask("GET", "/v1/events?types=inbox"));
    let state = |world: &mut World| {
        let node = world.get(BEN, ask("GET", "/v1/node")).json();
        node["inbox"]["state"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    for (count, expected) in [(287, "ok"), (1, "filling"), (95, "filling"), (2, "full")] {
        for _ in 0..count {
            world.get(ADA, ask("POST", "/v1/peers/ben/messages").body("x"));
        }
        world.run(Duration::from_secs(2));
        assert_eq!(state(&mut world), expected);
    }
    let all = world.get(BEN, ask("GET", "/v1/inbox?limit=384")).json();
    let next = all["next"].as_str().expect("items");
    let ack = ask("POST", "/v1/inbox/ack").json(&format!("{{\"cursor\":\"{next}\"}}"));
    world.get(BEN, ack);
    assert_eq!(state(&mut world), "ok");
    let told = world.response(BEN, events).text();
    let told: Vec<&str> = told.matches("\"state\":").collect();
    assert_eq!(told.len(), 3, "filling, full, ok");
}

/// A flood on a channel that nobody reads leaves a friend's every level alone.
#[test]
fn a_strangers_flood_holds_nobody_else_up() {
    let mut world = World::connected();
    world.get(
        BEN,
        ask("PUT", "/v1/services/help").json("{\"deliver\":\"inbox\"}"),
    );
    for _ in 0..1_200 {
        world.get(
            ADA,
            ask("POST", "/v1/peers/ben/messages?channel=99").body("x"),
        );
    }
    world.run(Duration::from_secs(5));
    let introducer = world.id(INTRODUCER);
    let mut cara = config(CARA);
    cara.name = Some("cara".to_owned());
    let place = format!("p2p://{introducer}@10.0.0.1:6660");
    cara.introducers = vec![place.parse().expect("an address")];
    world.add(CARA, cara);
    world.run(Duration::from_secs(2));
    let connect = world.get(BEN, ask("POST", "/v1/peers/cara/connect").json("{}"));
    assert_eq!(connect.status, 200, "{}", connect.text());
    world.run(Duration::from_secs(2));
    let ben = world.id(BEN);
    let send = |level: &str| ask("POST", &format!("/v1/peers/{ben}/{level}")).body("dinner at 8?");
    let message = send("messages?channel=1").header("Prefer", "wait=5");
    assert_eq!(world.get(CARA, message).json()["state"], "delivered");
    world.get(CARA, send("datagrams?channel=1"));
    let request = world.send(CARA, send("requests/help"));
    world.send(CARA, send("streams?channel=1"));
    world.run(Duration::from_secs(2));
    for level in ["message", "datagram", "request", "stream"] {
        let target = format!("/v1/inbox?type={level}&limit=500");
        let list = world.get(BEN, ask("GET", &target)).json();
        let friend = world.id(CARA);
        let of_friend = list["items"].as_array().expect("items").iter();
        let count = of_friend
            .filter(|item| item["peer"] == friend.as_str())
            .count();
        assert_eq!(count, 1, "{level}");
        if level == "request" {
            let id = list["items"][0]["id"].as_str().expect("an id").to_owned();
            world.get(
                BEN,
                ask("POST", &format!("/v1/requests/{id}/answer")).body("yes"),
            );
        }
    }
    world.run(Duration::from_secs(1));
    assert_eq!(world.response(CARA, request).text(), "yes");
}

#[test]
fn a_full_inbox_slows_the_sender_and_loses_nothing() {
    let mut world = World::connected();
    choose_ada(&mut world);
    let sent: usize = 1_100;
    let mut delivered = 0;
    for i in 0..sent {
        let send = ask("POST", "/v1/peers/ben/messages").body(format!("message {i}"));
        let response = world.get(ADA, send);
        if response.status == 503 {
            break;
        }
        delivered += 1;
    }
    world.run(Duration::from_secs(10));
    let node = world.get(BEN, ask("GET", "/v1/node")).json();
    assert_eq!(node["inbox"]["items"], 384, "a channel of a chosen peer");
    assert_eq!(node["inbox"]["state"], "full");
    assert_eq!(node["inbox"]["fullest"]["channel"], 0);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let page = world.get(BEN, ask("GET", "/v1/inbox?limit=100")).json();
        let items = page["items"].as_array().expect("items").clone();
        for item in &items {
            assert!(seen.insert(item["text"].as_str().unwrap_or_default().to_owned()));
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        world.get(
            BEN,
            ask("POST", "/v1/inbox/ack").json(&format!("{{\"cursor\":\"{next}\"}}")),
        );
        world.run(Duration::from_millis(500));
    }
    assert_eq!(seen.len(), delivered, "every message came exactly once");
}

#[test]
fn datagrams_push_out_datagrams_and_are_counted() {
    let mut world = World::connected();
    for i in 0..1_200 {
        world.get(
            ADA,
            ask("POST", "/v1/peers/ben/datagrams").body(format!("tick {i}")),
        );
        if i % 50 == 0 {
            world.run(Duration::from_millis(100));
        }
    }
    world.run(Duration::from_secs(5));
    let node = world.get(BEN, ask("GET", "/v1/node")).json();
    assert_eq!(node["inbox"]["items"], 256, "of a stranger");
    assert!(
        node["inbox"]["dropped_datagrams"]
            .as_u64()
            .is_some_and(|n| n > 100)
    );
    let first = world.get(BEN, ask("GET", "/v1/inbox?limit=1")).json();
    assert_ne!(first["items"][0]["text"], "tick 0", "the oldest went");
}

fn frames(text: &str) -> Vec<String> {
    let whole = text.split("\n\n").filter(|f| f.contains("event: "));
    whole.map(ToOwned::to_owned).collect()
}

fn id_of(frame: &str) -> &str {
    frame
        .lines()
        .find_map(|l| l.strip_prefix("id: "))
        .expect("an id")
}

#[test]
fn events_are_followed_resumed_and_their_loss_is_told() {
    let mut world = World::connected();
    let follow = world.send(BEN, ask("GET", "/v1/events?types=datagram,gap"));
    let head = world.response(BEN, follow);
    assert_eq!(
        head.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert_eq!(head.header("cache-control"), Some("no-store"));
    let datagram = || ask("POST", "/v1/peers/ben/datagrams?channel=4").body("a\nb: c");
    world.get(ADA, datagram());
    world.get(ADA, datagram());
    world.run(Duration::from_secs(16));
    let text = world.response(BEN, follow).text();
    let seen = frames(&text);
    assert_eq!(seen.len(), 2, "{text}");
    assert!(seen[0].contains("event: datagram\ndata: {") && seen[0].contains("a\\nb: c"));
    assert!(text.contains(": heartbeat\n\n"));
    world.hang_up(BEN, follow);

    let resume = ask("GET", "/v1/events?types=datagram").header("Last-Event-ID", id_of(&seen[0]));
    let resumed = world.send(BEN, resume);
    let again = frames(&world.response(BEN, resumed).text());
    assert_eq!(again, [seen[1].clone()]);
    world.hang_up(BEN, resumed);

    for _ in 0..1_100 {
        world.get(ADA, datagram());
    }
    world.run(Duration::from_secs(5));
    let late = ask("GET", "/v1/events").header("Last-Event-ID", id_of(&seen[0]));
    let late = world.send(BEN, late);
    world.run(Duration::from_millis(10));
    let frames = frames(&world.response(BEN, late).text());
    assert!(frames[0].contains("event: gap"), "{}", frames[0]);
    assert!(frames[0].contains(&format!("\"from\":\"{}\"", id_of(&seen[0]))));
    assert_eq!(frames.len(), 1_025);
}

#[test]
fn a_follower_that_does_not_read_costs_a_window_only() {
    let mut world = World::connected();
    world.party(BEN).reads = false;
    let follow = world.send(BEN, ask("GET", "/v1/events"));
    for i in 0..2_000 {
        world.get(
            ADA,
            ask("POST", "/v1/peers/ben/datagrams").body(vec![b'x'; 1_000]),
        );
        if i % 50 == 0 {
            world.run(Duration::from_millis(100));
        }
    }
    world.run(Duration::from_secs(5));
    let held = world.response(BEN, follow).body.len();
    assert!(held < 80_000, "{held} bytes");
    let now = world.now;
    world.party(BEN).read_on(now);
    let text = world.response(BEN, follow).text();
    assert!(text.contains("event: gap"), "it is told what it missed");
}

#[test]
fn chat_events_tell_both_sides() {
    let mut world = World::connected();
    let theirs = world.send(BEN, ask("GET", "/v1/events?channel=1&types=message"));
    let ours = world.send(ADA, ask("GET", "/v1/events?types=message_state"));
    let sent = world.get(
        ADA,
        ask("POST", "/v1/peers/ben/messages?channel=1").body("hello"),
    );
    world.run(Duration::from_secs(2));
    let heard = frames(&world.response(BEN, theirs).text());
    assert_eq!(heard.len(), 1);
    assert!(heard[0].contains("\"text\":\"hello\""));
    let told = world.response(ADA, ours).text();
    assert!(
        told.contains("\"state\":\"delivered\"")
            && told.contains(sent.json()["id"].as_str().unwrap())
    );
}
