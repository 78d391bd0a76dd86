//! The inbox on disk: what is said to be delivered is there, and outlives the node; what cannot be written waits.

mod world;

use core::time::Duration;

use p2p_http_api::InboxPlace;
use world::{ADA, BEN, World, ask};

const SECOND: Duration = Duration::from_secs(1);

/// Sends a message from ada to ben; its id.
fn send(world: &mut World, text: &str, query: &str) -> String {
    let send = ask("POST", &format!("/v1/peers/ben/messages?channel=1{query}"));
    let answer = world.get(ADA, send.body(text.to_owned())).json();
    answer["id"].as_str().expect("an id").to_owned()
}

/// What ada is told of a message.
fn state(world: &mut World, id: &str) -> (String, Option<String>) {
    let message = world.get(ADA, ask("GET", &format!("/v1/messages/{id}")));
    let message = message.json();
    let text = |key: &str| message[key].as_str().map(str::to_owned);
    (text("state").expect("a state"), text("reason"))
}

/// The items in ben's inbox: ids and texts.
fn inbox(world: &mut World) -> Vec<(String, String)> {
    let list = world.get(BEN, ask("GET", "/v1/inbox?limit=500")).json();
    let items = list["items"].as_array().expect("items").iter();
    let text = |item: &serde_json::Value, key: &str| item[key].as_str().expect(key).to_owned();
    items.map(|i| (text(i, "id"), text(i, "text"))).collect()
}

fn texts(world: &mut World) -> Vec<String> {
    inbox(world).into_iter().map(|(_, text)| text).collect()
}

fn inbox_state(world: &mut World) -> String {
    let node = world.get(BEN, ask("GET", "/v1/node")).json();
    node["inbox"]["state"].as_str().expect("a state").to_owned()
}

fn ack(cursor: &str) -> world::Ask {
    ask("POST", "/v1/inbox/ack").json(&format!("{{\"cursor\":\"{cursor}\"}}"))
}

/// Protocol §8.2.
#[test]
fn a_message_is_delivered_once_it_is_on_disk_and_not_before() {
    let mut world = World::connected();
    world.with_disk(BEN, 3 * SECOND);
    let id = send(&mut world, "hello", "");
    world.run(2 * SECOND);
    assert_eq!(state(&mut world, &id).0, "queued");
    assert_eq!(texts(&mut world), [""; 0]);
    world.run(2 * SECOND);
    assert_eq!(state(&mut world, &id).0, "delivered");
    assert_eq!(texts(&mut world), ["hello"]);
    assert_eq!(world.disk(BEN).texts(), ["hello"]);
}

/// Protocol §8.2. Ben is killed at one moment after the other, while his disk takes a second for each of three
/// messages.
#[test]
fn what_was_said_to_be_delivered_is_there_after_the_receiver_was_killed_at_any_moment() {
    let mut delivered_counts = Vec::new();
    for steps in 0..20 {
        let mut world = World::connected();
        world.with_disk(BEN, SECOND);
        let mut ids = Vec::new();
        for text in ["a", "b", "c"] {
            ids.push((send(&mut world, text, ""), text));
            world.run(SECOND / 5);
        }
        world.run(SECOND / 10 * steps);
        world.kill_and_restart(BEN, InboxPlace::Disk);
        world.run(60 * SECOND);
        let there = texts(&mut world);
        let is_delivered = |(id, _): &&(String, &str)| state(&mut world, id).0 == "delivered";
        let delivered: Vec<_> = ids.iter().filter(is_delivered).map(|(_, t)| *t).collect();
        let count = |text: &str| there.iter().filter(|t| *t == text).count();
        for (_, text) in &ids {
            assert!(count(text) <= 1, "{steps}: {there:?}");
        }
        for text in &delivered {
            assert_eq!(count(text), 1, "{steps}: {delivered:?}, {there:?}");
        }
        delivered_counts.push(delivered.len());
    }
    assert_eq!(delivered_counts.first(), Some(&0), "{delivered_counts:?}");
    assert_eq!(delivered_counts.last(), Some(&3), "{delivered_counts:?}");
}

#[test]
fn what_a_full_disk_refuses_waits_and_comes_in_order_once_there_is_room() {
    let mut world = World::connected();
    world.with_disk(BEN, SECOND / 10);
    world.disk(BEN).is_full = true;
    let all: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let ids: Vec<String> = all.iter().map(|t| send(&mut world, t, "")).collect();
    world.run(30 * SECOND);
    assert_eq!(inbox_state(&mut world), "not_kept");
    assert_eq!(texts(&mut world), [""; 0]);
    for id in &ids {
        assert_eq!(state(&mut world, id).0, "queued", "{id}");
    }
    // One a second is tried, beside those that were under way at the first refusal.
    let orders = world.disk(BEN).orders;
    assert!(orders < 20 + 35, "{orders} orders");
    world.disk(BEN).is_full = false;
    world.run(5 * SECOND);
    assert_eq!(texts(&mut world), all);
    assert_eq!(world.disk(BEN).texts(), all);
    for id in &ids {
        assert_eq!(state(&mut world, id).0, "delivered", "{id}");
    }
    assert_eq!(inbox_state(&mut world), "ok");
}

#[test]
fn what_is_acknowledged_is_deleted_before_that_is_said_and_stays_where_it_cannot_be() {
    let mut world = World::connected();
    world.with_disk(BEN, SECOND);
    for text in ["a", "b", "c"] {
        send(&mut world, text, "");
    }
    world.run(5 * SECOND);
    let items = inbox(&mut world);
    assert_eq!(items.len(), 3);
    world.disk(BEN).is_full = true;
    let refused = world.get(BEN, ack(&items[1].0));
    assert_eq!(refused.code(), "not_kept");
    assert_eq!(inbox(&mut world), items, "as they were");
    world.disk(BEN).is_full = false;
    let asked = world.send(BEN, ack(&items[1].0));
    world.run(SECOND / 2);
    assert!(!world.response(BEN, asked).is_complete, "said too early");
    world.run(SECOND);
    assert_eq!(world.response(BEN, asked).json()["acknowledged"], 2);
    assert_eq!(world.disk(BEN).texts(), ["c"]);
    world.kill_and_restart(BEN, InboxPlace::Memory);
    assert_eq!(texts(&mut world), ["c"], "also where none is kept any more");
    let left = inbox(&mut world);
    let early = world.get(BEN, ack(&items[2].0)).json();
    assert_eq!(early["acknowledged"], 0, "a cursor of the run before");
    assert_eq!(world.get(BEN, ack(&left[0].0)).json()["acknowledged"], 1);
    assert_eq!(world.disk(BEN).texts(), [""; 0]);
}

#[test]
fn what_is_given_up_while_it_is_written_is_deleted_again() {
    let mut world = World::connected();
    world.with_disk(BEN, 4 * SECOND);
    let id = send(&mut world, "late", "&timeout_ms=2000");
    world.run(10 * SECOND);
    let ended = state(&mut world, &id);
    assert_eq!(
        (ended.0.as_str(), ended.1.as_deref()),
        ("failed", Some("timed_out"))
    );
    assert_eq!(texts(&mut world), [""; 0]);
    assert_eq!(world.disk(BEN).texts(), [""; 0]);
    assert_eq!(world.disk(BEN).orders, 2, "written and deleted");
}

#[test]
fn who_is_blocked_leaves_nothing_behind() {
    let mut world = World::connected();
    world.with_disk(BEN, SECOND);
    send(&mut world, "first", "");
    world.run(3 * SECOND);
    send(&mut world, "second", "");
    world.run(SECOND / 2);
    let ada = world.id(ADA);
    let block = ask("POST", &format!("/v1/contacts/{ada}/block"));
    assert_eq!(world.get(BEN, block).status, 200);
    world.run(5 * SECOND);
    assert_eq!(texts(&mut world), [""; 0]);
    assert_eq!(world.disk(BEN).texts(), [""; 0]);
    // A crash between the block and what it takes with it.
    let mut world = World::connected();
    world.with_disk(BEN, SECOND / 2);
    send(&mut world, "first", "");
    world.run(3 * SECOND);
    let before: Vec<_> = world.disk(BEN).book().messages().cloned().collect();
    let block = ask("POST", &format!("/v1/contacts/{ada}/block"));
    assert_eq!(world.get(BEN, block).status, 200);
    world.run(SECOND);
    assert_eq!(before.len(), 1);
    world.disk(BEN).put(before);
    world.kill_and_restart(BEN, InboxPlace::Disk);
    assert_eq!(texts(&mut world), [""; 0]);
    world.run(SECOND);
    assert_eq!(world.disk(BEN).texts(), [""; 0]);
}

/// What strangers may hold bounds what they may have on disk.
#[test]
fn a_strangers_flood_fills_its_quota_on_disk_and_no_more() {
    let mut world = World::connected();
    world.with_disk(BEN, SECOND / 10);
    for _ in 0..300 {
        world.get(ADA, ask("POST", "/v1/peers/ben/messages").body("x"));
    }
    world.run(20 * SECOND);
    assert_eq!(world.disk(BEN).texts().len(), 128);
    world.kill_and_restart(BEN, InboxPlace::Disk);
    assert_eq!(texts(&mut world).len(), 128);
}

#[test]
fn a_node_that_keeps_messages_in_memory_says_so_to_its_peers() {
    for (place, word) in [(InboxPlace::Disk, "disk"), (InboxPlace::Memory, "memory")] {
        let mut world = World::connected();
        world.with_inbox(BEN, place);
        let hello = world.get(ADA, ask("POST", "/v1/peers/ben/requests/node.hello"));
        assert_eq!(hello.json()["inbox"], word);
        let id = send(&mut world, "hello", "");
        world.run(SECOND * 4);
        assert_eq!(state(&mut world, &id).0, "delivered");
        let kept = usize::from(place == InboxPlace::Disk);
        assert_eq!(world.disk(BEN).texts().len(), kept);
    }
}
