//! What an operator grants: raised and lowered bounds of an introducer and relay reach the parts that hold them.

use bytes::Bytes;

use super::{Net, client, config, count, introducer_config, is_connected_event};
use crate::api::{Command, Engine, Event, IntroducerState, OperatorLimits};
use crate::id::NodeId;
use crate::time::Duration;

/// An introducer (1) that grants this, and two nodes, ada (2) and ben (3), that only meet through its relay.
fn relayed(granted: OperatorLimits) -> (Net, NodeId, NodeId) {
    let mut net = Net::new();
    let mut introducer = introducer_config();
    introducer.operator = granted;
    let introducer = net.add(1, introducer);
    let mut add = |n, name| {
        let mut config = client(n, name, introducer);
        config.direct_paths = false;
        net.add(n, config)
    };
    let (ada, ben) = (add(2, "ada"), add(3, "ben"));
    net.run(Duration::from_secs(2));
    (net, ada, ben)
}

/// Whether so many bytes through the relay arrive within `span`.
fn has_arrived(relay_bytes_per_s: u64, bytes: usize, span: Duration) -> bool {
    let granted = OperatorLimits {
        relay_bytes_per_s,
        ..OperatorLimits::default()
    };
    let (mut net, _, ben) = relayed(granted);
    net.connect(2, ben);
    net.run(Duration::from_secs(2));
    assert!(net.is_connected(2, &ben));
    let data = Bytes::from(vec![7; bytes]);
    net.order(
        2,
        Command::SendMessage {
            peer: ben,
            label: 0.into(),
            data,
            deadline: None,
        },
    );
    net.run(span);
    let arrived = |e: &Event| matches!(e, Event::MessageReady { .. });
    count(&net.events_of(ben), arrived) == 1
}

#[test]
fn a_relay_with_a_higher_rate_relays_faster() {
    // Four times the rate passes at once, so 6 MiB at 1 MiB/s take 2 s at least.
    let span = Duration::from_millis(1_500);
    assert!(!has_arrived(1 << 20, 6 << 20, span));
    assert!(has_arrived(8 << 20, 6 << 20, span));
}

#[test]
fn a_lowered_number_of_registrations_refuses_earlier() {
    let registered = |registrations| {
        let granted = OperatorLimits {
            registrations,
            ..OperatorLimits::default()
        };
        let (mut net, ..) = relayed(granted);
        let now = net.now;
        let is_registered = |n| {
            let status = net.node(n).status(now);
            status.introducers[0].state == IntroducerState::Registered
        };
        [2, 3].map(is_registered)
    };
    assert_eq!(registered(2), [true, true]);
    assert_eq!(registered(1).iter().filter(|r| **r).count(), 1);
}

#[test]
fn a_relay_without_channels_connects_nobody() {
    let granted = OperatorLimits {
        relay_channels: 0,
        ..OperatorLimits::default()
    };
    let (mut net, ada, ben) = relayed(granted);
    net.connect(2, ben);
    net.run(Duration::from_secs(5));
    assert_eq!(count(&net.events_of(ada), is_connected_event), 0);
}

#[test]
fn a_lowered_budget_of_connect_orders_refuses_earlier() {
    let connected = |connects_per_minute| {
        let granted = OperatorLimits {
            connects_per_minute,
            ..OperatorLimits::default()
        };
        let (mut net, ada, ben) = relayed(granted);
        let introducer = net.node(1).id();
        let eve = net.add(4, client(4, "eve", introducer));
        net.run(Duration::from_secs(2));
        for peer in [ben, eve] {
            net.connect(2, peer);
            net.run(Duration::from_secs(3));
        }
        count(&net.events_of(ada), is_connected_event)
    };
    assert_eq!((connected(30), connected(1)), (2, 1));
}

#[test]
fn the_defaults_are_the_documented_ones() {
    assert_eq!(config(1).operator, OperatorLimits::default());
    let granted = OperatorLimits::default();
    let (directory, relay) = (
        crate::node::settings::directory(&granted),
        crate::node::settings::relay(&granted),
    );
    assert_eq!(directory.search_burst, crate::limits::SEARCH_BURST);
    assert_eq!(relay.burst_bytes, crate::limits::RELAY_BURST_BYTES);
}
