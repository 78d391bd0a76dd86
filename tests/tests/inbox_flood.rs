//! A stranger that floods the inbox of a node of either kind leaves a friend of its owner alone, at every level.

use std::thread;

use p2p_core::api::Roles;
use p2p_tests::api::eventually;
use p2p_tests::nodes::{Folder, Kind, TestNode, Wish, start};
use serde_json::{Value, json};

/// Messages of the flood, one byte each.
const FLOOD: usize = 1_200;

fn node(kind: Kind, folder: &Folder, change: impl FnOnce(&mut Wish)) -> TestNode {
    let mut wish = Wish::new(folder.path());
    change(&mut wish);
    start(kind, &wish).unwrap_or_else(|error| panic!("does not start: {error}"))
}

fn items_of(node: &TestNode, level: &str, peer: &TestNode) -> Vec<Value> {
    let target = format!("/v1/inbox?type={level}&limit=500");
    let mut items = match node.api.get(&target).expect(200).json()["items"].take() {
        Value::Array(items) => items,
        other => panic!("no list: {other}"),
    };
    items.retain(|item| item["peer"] == peer.id.to_string());
    items
}

fn check(kind: Kind) {
    let folders = [Folder::new(), Folder::new(), Folder::new(), Folder::new()];
    let introducer = node(kind, &folders[0], |w| w.roles = Roles::ALL);
    let peer = |name: &str, folder| {
        node(kind, folder, |w| {
            w.name = Some(name.to_owned());
            w.introducers = vec![introducer.introducer_address()];
        })
    };
    let (ben, friend, stranger) = (
        peer("ben", &folders[1]),
        peer("friend", &folders[2]),
        peer("stranger", &folders[3]),
    );
    let facts = |node: &TestNode| node.api.get("/v1/node").expect(200).json();
    eventually("all are registered", || {
        (facts(&introducer)["directory_entries"] == 3).then_some(())
    });
    let connect = |from: &TestNode, to: &str| {
        let target = format!("/v1/peers/{to}@{}/connect", introducer.id);
        from.api.post_json(&target, &json!({})).expect(200)
    };
    let _ = connect(&ben, "friend");
    let _ = connect(&stranger, "ben");
    let service = ben.api.call(
        "PUT",
        "/v1/services/help",
        &[("content-type", "application/json")],
        br#"{"deliver":"inbox"}"#,
    );
    assert!(service.status < 300, "{}", service.status);
    let flood = format!("/v1/peers/{}/messages?channel=99", ben.id);
    for _ in 0..FLOOD {
        let _ = stranger.api.post(&flood, b"x").expect(201);
    }
    eventually("the stranger's place is used up", || {
        (facts(&ben)["inbox"]["waiting_messages"].as_u64() > Some(500)).then_some(())
    });

    let to_ben = |level: &str| format!("/v1/peers/{}/{level}", ben.id);
    let message = to_ben("messages?channel=1");
    let sent = friend
        .api
        .call("POST", &message, &[("prefer", "wait=30")], b"dinner at 8?");
    assert_eq!(sent.expect(201).json()["state"], "delivered");
    let _ = friend
        .api
        .post(&to_ben("datagrams?channel=1"), b"catch")
        .expect(202);
    let _stream = friend.api.begin("POST", &to_ben("streams?channel=1"));
    let asking = {
        let (api, target) = (friend.api.clone(), to_ben("requests/help?timeout_ms=50000"));
        thread::spawn(move || api.post(&target, b"?"))
    };
    for level in ["message", "datagram", "stream", "request"] {
        let items = eventually(level, || {
            Some(items_of(&ben, level, &friend)).filter(|items| !items.is_empty())
        });
        assert_eq!(items.len(), 1, "{level}");
        if level == "request" {
            let id = items[0]["id"].as_str().expect("an id");
            let answer = format!("/v1/requests/{id}/answer");
            let _ = ben.api.post(&answer, b"yes").expect(204);
        }
    }
    assert_eq!(asking.join().expect("no panic").expect(200).body, b"yes");
    assert_eq!(items_of(&ben, "message", &stranger).len(), 128, "its share");
    assert_eq!(facts(&ben)["inbox"]["state"], "ok");
}

#[test]
fn sec_15_a_flood_of_messages_silences_nobody_on_smol() {
    check(Kind::Smol);
}

#[test]
fn sec_15_a_flood_of_messages_silences_nobody_on_threads() {
    check(Kind::Threads);
}
