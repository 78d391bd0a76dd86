//! A receiver is killed (SIGKILL) again and again while it is written to: what its sender was told is delivered is in
//! its inbox when it comes back, each message once, and what was acknowledged does not come back.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Folder, Node};

const ROUNDS: u64 = 8;
/// Most messages in a round: fewer than the receiver's inbox has room for.
const MESSAGES: usize = 300;
/// Numbers from here on are of messages that ask whether the receiver is there again.
const PROBES: usize = 1_000;

fn json(answer: (u16, String)) -> Value {
    assert!((200..300).contains(&answer.0), "{answer:?}");
    serde_json::from_str(&answer.1).unwrap_or_else(|e| panic!("{e}: {}", answer.1))
}

/// Looks again until it is so; a test that waits in vain fails by the deadline.
fn eventually(mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < end, "it did not come about");
        thread::sleep(Duration::from_millis(20));
    }
}

fn id(node: &Node) -> &str {
    node.ready["id"].as_str().expect("an id")
}

/// Writes messages of these numbers until told to stop; their ids and texts.
fn write(
    (from, to): (&Node, &str),
    round: u64,
    numbers: Range<usize>,
    stop: &AtomicBool,
) -> BTreeMap<String, String> {
    let mut sent = BTreeMap::new();
    for number in numbers {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let text = format!("{round}/{number}");
        let target = format!("/v1/peers/{to}/messages?channel=1&timeout_ms=3000");
        let (status, body) = from.call("POST", &target, &text);
        // The sender's own limits, or it knows by now that the peer is gone.
        if (200..300).contains(&status) {
            let message: Value = serde_json::from_str(&body).expect("JSON");
            sent.insert(message["id"].as_str().expect("an id").to_owned(), text);
        }
    }
    sent
}

/// The texts of those that were delivered, once all have ended.
fn delivered(at: &Node, sent: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut delivered = BTreeSet::new();
    for (id, text) in sent {
        let mut state = Value::Null;
        eventually(|| {
            state = json(at.get(&format!("/v1/messages/{id}")))["state"].clone();
            state != "queued"
        });
        if state == "delivered" {
            delivered.insert(text.clone());
        }
    }
    delivered
}

/// Texts in the inbox, and the last cursor; several pages.
fn inbox(of: &Node) -> (Vec<String>, Option<String>) {
    let (mut texts, mut next) = (Vec::new(), None::<String>);
    loop {
        let since = next
            .as_ref()
            .map_or_else(String::new, |next| format!("&since={next}"));
        let page = json(of.get(&format!("/v1/inbox?type=message&limit=100{since}")));
        let items = page["items"].as_array().expect("items");
        if items.is_empty() {
            return (texts, next);
        }
        let text = |item: &Value| item["text"].as_str().expect("a text").to_owned();
        texts.extend(items.iter().map(text));
        next = page["next"].as_str().map(str::to_owned);
    }
}

#[test]
fn a_receiver_killed_at_any_moment_has_what_its_sender_was_told_is_delivered() {
    let folder = Folder::new("kept");
    let introducer = Node::start(&folder, "introducer", &["--role", "introducer,relay,stun"]);
    let line = introducer.ready["introducer_address"]
        .as_str()
        .expect("a line");
    let start = |name: &str, place: &str| {
        Node::start_at(
            &folder,
            name,
            place,
            &["--name", name, "--introducer", line],
        )
    };
    let any = "127.0.0.1:0";
    let (ada, mut ben) = (start("ada", any), start("ben", any));
    // It comes back where it was, so that its own word ends the old session.
    let place = ben.ready["udp"][0].as_str().expect("a place").to_owned();
    let (ada_id, ben_id) = (id(&ada).to_owned(), id(&ben).to_owned());
    let chosen = ben.call("PUT", &format!("/v1/contacts/{ada_id}"), "{}");
    assert_eq!(chosen.0, 201, "{chosen:?}");
    let (mut seen, mut delivered_in_all, mut open_in_all) = (BTreeSet::new(), 0, 0);
    let mut moment = 0x9E37_79B9_u64;
    for round in 0..ROUNDS {
        // The sender has to notice first that the receiver is another process now.
        let pair = (&ada, ben_id.as_str());
        let mut first = PROBES;
        eventually(|| {
            first += 1;
            ada.call("POST", &format!("/v1/peers/{ben_id}/connect"), "{}");
            let sent = write(pair, round, first..first + 1, &AtomicBool::new(false));
            !delivered(&ada, &sent).is_empty()
        });
        moment = moment
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let stop = AtomicBool::new(false);
        let sent = thread::scope(|scope| {
            let writer = scope.spawn(|| write(pair, round, 0..MESSAGES, &stop));
            thread::sleep(Duration::from_millis(30 + (moment >> 33) % 400));
            ben.kill();
            stop.store(true, Ordering::Relaxed);
            writer.join().expect("it ends")
        });
        ben = start("ben", &place);
        let delivered = delivered(&ada, &sent);
        let (texts, cursor) = inbox(&ben);
        let there: BTreeSet<String> = texts.iter().cloned().collect();
        assert_eq!(texts.len(), there.len(), "one came twice: {texts:?}");
        assert!(there.is_disjoint(&seen), "acknowledged, and here again");
        let lost: Vec<&String> = delivered.difference(&there).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?} of {delivered:?}");
        delivered_in_all += delivered.len();
        open_in_all += sent.len() - delivered.len();
        seen.extend(there);
        if let Some(cursor) = cursor {
            let ack = format!("{{\"cursor\":\"{cursor}\"}}");
            json(ben.call("POST", "/v1/inbox/ack", &ack));
        }
    }
    assert!(delivered_in_all > 0 && open_in_all > 0);
    println!("{delivered_in_all} delivered, {open_in_all} left open by {ROUNDS} kills");
}
