//! What all peers of a node have in common, as the configuration says: congestion control, and budgets of bytes.

use bytes::Bytes;

use super::wiring::read_all;
use super::{Net, call, config};
use crate::api::{Accepted, Command, ControllerKind, NodeConfig};
use crate::id::NodeId;
use crate::limits;
use crate::time::Duration;

/// Ada (2) with the configuration as it is and ben (3) with it changed, connected.
fn pair_with(change: impl FnOnce(&mut NodeConfig)) -> (Net, NodeId, NodeId) {
    let mut net = Net::new();
    let ada = net.add(2, config(2));
    let mut changed = config(3);
    change(&mut changed);
    let ben = net.add(3, changed);
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    (net, ada, ben)
}

#[test]
fn paths_get_the_controller_of_the_configuration_also_after_a_goodbye() {
    let (mut net, ada, ben) = pair_with(|c| c.congestion = ControllerKind::NewReno);
    for _ in 0..2 {
        let kind = |net: &mut Net, n, peer| {
            let table = &net.node(n).peers.table;
            let key = table.key_of(&peer).expect("known");
            table.get(key).expect("known").peer.controller_kind()
        };
        assert_eq!(kind(&mut net, 3, ada), ControllerKind::NewReno);
        assert_eq!(kind(&mut net, 2, ben), ControllerKind::Cubic);
        net.order(3, Command::Disconnect(ada));
        net.run(Duration::from_secs(1));
        assert!(!net.is_connected(3, &ada));
        call(&mut net, 2, 3);
        net.run(Duration::from_secs(1));
    }
}

#[test]
fn a_reader_that_sleeps_holds_no_more_than_its_budget_and_gets_all_when_it_wakes() {
    let budget_bytes = 512 << 10;
    let (mut net, ada, ben) = pair_with(|c| c.receive_budget_bytes = budget_bytes);
    let peer = ben;
    let Accepted::Stream(stream) = net.order(
        2,
        Command::OpenStream {
            peer,
            label: 3.into(),
        },
    ) else {
        panic!("a stream opens");
    };
    let payload: Vec<u8> = (0..900_000u32).map(|i| (i % 251) as u8).collect();
    let data = Bytes::from(payload.clone());
    net.order(2, Command::WriteStream { peer, stream, data });
    net.order(2, Command::FinishStream { peer, stream });
    let held = |net: &mut Net| {
        net.node(3)
            .peers
            .table
            .common()
            .budgets
            .receive
            .held_bytes()
    };
    net.run(Duration::from_secs(20));
    let asleep = held(&mut net);
    let most = budget_bytes + limits::RECEIVE_LEAST_BYTES;
    assert!((budget_bytes / 4..=most).contains(&asleep), "{asleep}");
    let (mut got, mut is_whole) = (Vec::new(), false);
    for _ in 0..600 {
        let (bytes, end) = read_all(&mut net, 3, ada, stream);
        got.extend(bytes);
        is_whole |= end;
        if is_whole {
            break;
        }
        net.run(Duration::from_millis(100));
    }
    assert!(is_whole && got == payload, "{} bytes", got.len());
    assert_eq!(held(&mut net), 0);
}
