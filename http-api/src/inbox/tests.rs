//! What finds room, what pushes out what, and what a reader gets.

use super::*;

fn item(kind: ItemKind, channel: u32, len: usize) -> Item {
    item_of(1, kind, channel, len)
}

/// An item of a peer; the odd ones are chosen, the even ones strangers.
fn item_of(peer: u8, kind: ItemKind, channel: u32, len: usize) -> Item {
    Item {
        kind,
        peer: NodeId::from_bytes([peer; 32]),
        stranger: peer.is_multiple_of(2),
        name: None,
        label: channel.into(),
        forwards: None,
        stream: None,
        kept: None,
        received_unix_ms: 0,
        data: Bytes::from(vec![7; len]),
    }
}

fn numbers(inbox: &Inbox, since: u64, filter: &Filter) -> Vec<u64> {
    let found = inbox.after(since, filter, 9_999, usize::MAX);
    found.iter().map(|(n, _)| *n).collect()
}

fn push_all(inbox: &mut Inbox, peer: u8, kind: ItemKind, count: usize) -> usize {
    // A stream has no content.
    let len = usize::from(kind != ItemKind::Stream);
    let items = (0..count).map(|_| item_of(peer, kind, 1, len));
    items.filter_map(|item| inbox.push(item)).count()
}

#[test]
fn datagrams_push_out_datagrams_only_and_a_strangers_none_of_a_chosen_peer() {
    let mut inbox = Inbox::default();
    inbox.push(item(ItemKind::Message, 1, 10)).unwrap();
    assert_eq!(push_all(&mut inbox, 3, ItemKind::Datagram, 200), 200);
    assert_eq!(push_all(&mut inbox, 2, ItemKind::Datagram, 2_000), 2_000);
    let of = |inbox: &Inbox, peer: u8| {
        let peer = NodeId::from_bytes([peer; 32]);
        inbox.items.values().filter(|i| i.peer == peer).count()
    };
    assert_eq!((of(&inbox, 1), of(&inbox, 3), of(&inbox, 2)), (1, 200, 256));
    assert_eq!(push_all(&mut inbox, 3, ItemKind::Datagram, 2_000), 2_000);
    assert_eq!((of(&inbox, 1), of(&inbox, 3), of(&inbox, 2)), (1, 512, 0));
    assert!(inbox.push(item_of(2, ItemKind::Datagram, 1, 1)).is_none());
    assert_eq!(inbox.dropped(), 1_744 + 1_744 + 200 + 1);
}

#[test]
fn strangers_leave_room_for_those_who_were_chosen() {
    let mut inbox = Inbox::default();
    let of_strangers: usize = (0..100)
        .map(|n| push_all(&mut inbox, 2 * n, ItemKind::Message, 1_200))
        .sum();
    assert_eq!(of_strangers, INBOX_ITEMS / 2);
    assert_eq!(push_all(&mut inbox, 0, ItemKind::Message, 1), 0);
    assert_eq!(
        push_all(&mut inbox, 1, ItemKind::Message, 1_200),
        384,
        "one channel"
    );
    assert!(
        inbox.push(item(ItemKind::Message, 2, 1)).is_some(),
        "another channel"
    );
    for kind in [ItemKind::Request, ItemKind::Stream, ItemKind::Datagram] {
        assert_eq!(push_all(&mut inbox, 1, kind, 5), 5, "{kind:?}");
        assert_eq!(push_all(&mut inbox, 2, kind, 5), 5, "{kind:?}");
    }
}

#[test]
fn one_stranger_does_not_use_up_what_all_may_hold() {
    let mut inbox = Inbox::default();
    for (kind, most) in [
        (ItemKind::Message, 128),
        (ItemKind::Request, 32),
        (ItemKind::Stream, 32),
    ] {
        let count = inbox.len();
        let item = |n: u32| item_of(2, kind, n, 0);
        let held = (0..1_000).filter_map(|n| inbox.push(item(n))).count();
        assert_eq!((held, inbox.len() - count), (most, most), "{kind:?}");
        assert_eq!(push_all(&mut inbox, 4, kind, 1_000), most, "{kind:?}");
    }
}

#[test]
fn a_message_of_the_largest_size_finds_room_but_not_two_of_a_stranger() {
    let mut inbox = Inbox::default();
    assert!(
        inbox
            .push(item_of(2, ItemKind::Message, 1, 16 << 20))
            .is_some()
    );
    assert!(inbox.push(item_of(2, ItemKind::Message, 1, 1)).is_none());
    assert!(
        inbox.push(item_of(4, ItemKind::Message, 1, 1)).is_none(),
        "all strangers'"
    );
    assert!(inbox.push(item(ItemKind::Message, 1, 16 << 20)).is_some());
    let full = inbox.has_room(
        ItemKind::Message,
        (NodeId::from_bytes([3; 32]), false),
        &Channel::Number(1),
        1,
    );
    assert_eq!(full, Err(Full::Peer));
    assert_eq!(inbox.acknowledge(1, &Filter::default()).len(), 1);
    assert!(inbox.push(item_of(3, ItemKind::Message, 1, 1)).is_some());
    assert_eq!(inbox.bytes(), (16 << 20) + 1);
}

#[test]
fn it_says_that_it_fills_before_it_is_full() {
    let mut inbox = Inbox::default();
    push_all(&mut inbox, 2, ItemKind::Message, 1_200);
    assert_eq!(
        inbox.fullness(),
        Fullness::Ok,
        "a stranger fills its own place only"
    );
    push_all(&mut inbox, 1, ItemKind::Message, 287);
    assert_eq!(inbox.fullness(), Fullness::Ok);
    push_all(&mut inbox, 1, ItemKind::Message, 1);
    assert_eq!(inbox.fullness(), Fullness::Filling);
    let (peer, _, load) = inbox.fullest().unwrap();
    assert_eq!((peer, load.items), (NodeId::from_bytes([1; 32]), 288));
}

#[test]
fn readers_of_two_channels_do_not_disturb_each_other() {
    let mut inbox = Inbox::default();
    for channel in [1, 2, 1, 2] {
        inbox.push(item(ItemKind::Message, channel, 1)).unwrap();
    }
    let one = Filter {
        channel: Some(Channel::Number(1)),
        kind: None,
    };
    assert_eq!(numbers(&inbox, 1, &one), [3]);
    assert_eq!(inbox.acknowledge(3, &one).len(), 2);
    assert_eq!(numbers(&inbox, 0, &Filter::default()), [2, 4]);
    assert_eq!(inbox.bytes(), 2);
}

#[test]
fn a_page_is_bounded_but_never_empty() {
    let mut inbox = Inbox::default();
    for _ in 0..4 {
        inbox.push(item(ItemKind::Message, 1, 100)).unwrap();
    }
    assert_eq!(inbox.after(0, &Filter::default(), 9, 250).len(), 2);
    assert_eq!(inbox.after(0, &Filter::default(), 3, 9_999).len(), 3);
    assert_eq!(inbox.after(0, &Filter::default(), 9, 1).len(), 1);
}
