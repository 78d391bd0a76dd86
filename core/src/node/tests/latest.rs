//! Level "latest" between two nodes: over a bad line the newest value arrives, never an older one after it, and an
//! application that does not fetch its news finds the newest of each key.

use bytes::Bytes;

use super::{Fate, Net, connected};
use crate::api::{Command, Engine, Event};
use crate::id::NodeId;
use crate::limits;
use crate::rng::Rng;
use crate::time::Duration;

fn set(net: &mut Net, peer: NodeId, key: &str, n: u32) {
    let (key, data) = (key.to_owned(), Bytes::copy_from_slice(&n.to_be_bytes()));
    net.order(2, Command::SetLatest { peer, key, data });
}

/// The values of a key in these events, in order.
fn values(events: &[Event], wanted: &str) -> Vec<u32> {
    let of_key = |event: &Event| match event {
        Event::LatestReceived { key, data, .. } if key == wanted => {
            Some(u32::from_be_bytes(data[..].try_into().expect("four bytes")))
        }
        _ => None,
    };
    events.iter().filter_map(of_key).collect()
}

#[test]
fn the_newest_arrives_over_a_bad_line_and_nothing_older_after_it() {
    let (mut net, _, ben) = connected();
    let mut dice = Rng::from_seed([9; 32]);
    net.set_tap(move |_, _| match dice.below(100) < 40 {
        true => Fate::Drop,
        false => Fate::Late(Duration::from_millis(dice.below(60))),
    });
    for n in 0..300 {
        set(&mut net, ben, "cursor", n);
        set(&mut net, ben, "presence", n / 100);
        net.run(Duration::from_millis(7));
    }
    net.run(Duration::from_secs(20));
    let events = net.events_of(ben);
    for (key, last) in [("cursor", 299), ("presence", 2)] {
        let got = values(&events, key);
        assert_eq!(got.last(), Some(&last), "{key}");
        assert!(got.is_sorted(), "{key}: {got:?}");
    }
    let cursor = values(&events, "cursor");
    assert!(cursor.len() < 290, "superseded values were sent again");
    assert!(cursor.len() > 60, "few arrived: {}", cursor.len());
}

#[test]
fn news_that_nobody_fetches_is_bounded_and_ends_with_the_newest() {
    let (mut net, ..) = connected();
    let ada = net.node(2).id();
    let value = |n: u32| Event::LatestReceived {
        peer: ada,
        key: "x".to_owned(),
        data: Bytes::copy_from_slice(&n.to_be_bytes()),
    };
    for n in 0..limits::EVENTS_WAITING as u32 * 2 {
        net.node(3).news.push_latest(value(n));
    }
    assert_eq!(net.node(3).news.len(), limits::EVENTS_WAITING);
    let events: Vec<Event> = core::iter::from_fn(|| net.node(3).poll_event()).collect();
    let got = values(&events, "x");
    assert_eq!(got.last(), Some(&(limits::EVENTS_WAITING as u32 * 2 - 1)));
    assert!(got.is_sorted());
}
