//! Streams under a budget that is too small for all: bounded whatever peers do, and never stuck.

use super::*;

const MIB: u64 = 1 << 20;

fn budgets(receive_bytes: u64, send_bytes: u64) -> Budgets {
    Budgets::new(receive_bytes, send_bytes)
}

/// Memory that the receiving halves hold.
fn capacity(streams: &Streams) -> usize {
    let halves = streams.streams.values();
    halves.map(|s| s.receiving.held_capacity_bytes()).sum()
}

/// Sends as many pieces as are accepted, in turn on eight streams, nothing being read.
fn flood(to: &mut Streams) {
    for piece in 0..4_000 {
        let (id, offset) = (StreamId(1 + piece % 8 * 2), piece / 8 * 1_000);
        let open = (offset == 0).then_some(1.into());
        match to.on_stream(id, offset, open, &[7; 1_000], false) {
            Ok(Received::Accepted) => {}
            Ok(Received::Refused) | Err(Violation::FlowControl) => return,
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn floods_without_a_reader_hold_no_more_than_the_budget() {
    let budgets = budgets(2 * MIB, MIB);
    let mut peers: Vec<_> = (0..10).map(|_| Streams::new(true, &budgets)).collect();
    peers.iter_mut().for_each(flood);
    let held = budgets.receive.held_bytes();
    let most = 2 * MIB + 10 * limits::RECEIVE_LEAST_BYTES;
    assert!((MIB..=most).contains(&held), "{held}");
    let memory: usize = peers.iter().map(capacity).sum();
    // Chunks double as they grow.
    assert!(memory as u64 <= 2 * most, "{memory} bytes");
    for peer in &peers {
        let held = peer.receiving.held_bytes();
        assert!(held + 1_000 >= limits::RECEIVE_LEAST_BYTES, "{held}");
    }
    drop(peers);
    assert_eq!(budgets.receive.held_bytes(), 0);
}

#[test]
fn a_hole_is_filled_even_where_the_budget_is_used_up() {
    let budgets = budgets(MIB, MIB);
    let mut streams = Streams::new(true, &budgets);
    let id = StreamId(1);
    let piece = [7; 100_000];
    let ahead = streams.on_stream(id, 100_000, None, &piece, false);
    assert_eq!(ahead, Ok(Received::Accepted));
    let mut others = budgets.receive.share();
    others.charge(MIB);
    let more = streams.on_stream(id, 200_000, None, &piece, false);
    assert_eq!(more, Ok(Received::Refused));
    let hole = streams.on_stream(id, 0, Some(1.into()), &piece, false);
    assert_eq!(hole, Ok(Received::Accepted));
    let mut read = 0;
    while let Ok(StreamRead::Data(data)) = streams.read(id, usize::MAX) {
        read += data.len();
    }
    assert_eq!((read, streams.receiving.held_bytes()), (200_000, 0));
    // A little goes on in any case.
    let little = streams.on_stream(id, 200_000, None, &piece[..60_000], false);
    assert_eq!(little, Ok(Received::Accepted));
}

#[test]
fn a_reset_and_a_stop_give_everything_back() {
    let budgets = budgets(MIB, MIB);
    let mut streams = Streams::new(true, &budgets);
    for (id, code) in [(1, None), (3, Some(9))] {
        let id = StreamId(id);
        let got = streams.on_stream(id, 0, Some(1.into()), &[7; 50_000], false);
        assert_eq!(got, Ok(Received::Accepted));
        match code {
            Some(code) => streams.stop(id, code).unwrap(),
            None => streams.on_reset(id, 0, 80_000).unwrap(),
        }
    }
    assert_eq!(budgets.receive.held_bytes(), 0);
}

#[test]
fn writers_hold_no_more_than_the_budget_and_all_go_on() {
    let budgets = budgets(MIB, 4 * MIB);
    let (mut a, mut b) = (Streams::new(true, &budgets), streams(false));
    let ids: Vec<_> = (0..20).map(|_| a.open(1.into()).unwrap()).collect();
    let data = Bytes::from(vec![5; MIB as usize]);
    let mut written = Vec::new();
    for id in &ids {
        written.push(a.write(*id, data.clone()).unwrap());
    }
    let least = limits::STREAM_SEND_BUFFER_LEAST_BYTES;
    let held = budgets.send.held_bytes();
    assert!(held <= 4 * MIB + 20 * least, "{held}");
    assert!(written.iter().all(|w| *w as u64 >= least), "{written:?}");
    assert_eq!(a.writable_bytes(ids[19]), Ok(0));
    settle(&mut a, &mut b);
    for id in &ids {
        while let Ok(StreamRead::Data(_)) = b.read(*id, usize::MAX) {}
    }
    settle(&mut a, &mut b);
    let woken = events(&mut a);
    assert!(woken.contains(&StreamEvent::Writable(ids[19])), "{woken:?}");
    assert_eq!(budgets.send.held_bytes(), 0);
    a.write(ids[0], data).unwrap();
    a.reset(ids[0], 1).unwrap();
    assert_eq!(budgets.send.held_bytes(), 0);
}

#[test]
fn the_send_buffer_holds_twice_what_is_under_way() {
    let (mut a, mut b) = pair();
    let id = a.open(1.into()).unwrap();
    let data = Bytes::from(vec![5; 64 << 20]);
    assert_eq!(a.write(id, data.clone()), Ok(2 << 20));
    // The reader reads at once, over a path of 50 ms that takes no time: its windows double.
    for _ in 0..8 {
        settle(&mut a, &mut b);
        while let Ok(StreamRead::Data(_)) = b.read(id, usize::MAX) {}
        a.write(id, data.clone()).unwrap();
    }
    let mut sent = 0;
    while let Some(piece) = a.poll_stream_frame(1_400, |_| 0) {
        sent += piece.data.len();
        if a.writable_bytes(id) != Ok(0) {
            a.write(id, data.clone()).unwrap();
        }
    }
    let held = a.sending.held_bytes();
    assert!(sent as u64 > 2 * MIB, "{sent}");
    let most = limits::STREAM_SEND_BUFFER_MAX_BYTES;
    assert!(
        held <= most && held >= (2 * sent as u64).min(most) - MIB,
        "{held} for {sent}"
    );
}
