//! What peers that break the rules meet (protocol §8.11).

use p2p_storage::transfers::{Offer, Want};

use super::frame::Frame;
use super::*;

const NOW: Instant = Instant::from_millis(1_000);

fn peer(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn transfers() -> Transfers {
    let mut transfers = Transfers::new(Rng::from_seed([1; 32]));
    transfers.on_connected(NOW, peer(1));
    transfers
}

fn offer() -> Offer {
    Offer {
        root: [3; 32],
        manifest_bytes: 100,
        files: 1,
        bytes: 7,
        label: "a".to_owned(),
    }
}

fn offered(transfers: &mut Transfers, number: u64, offer: Offer) -> u16 {
    let body = Notice::Offer(offer).encode(number);
    transfers.on_request(NOW, peer(1), body, Welcome::Welcome)
}

fn moves(transfers: &mut Transfers) -> Vec<Move> {
    core::iter::from_fn(|| transfers.poll()).collect()
}

/// A transfer that comes in and has asked for its list on stream 4.
fn listing() -> (Transfers, TransferId) {
    let mut transfers = transfers();
    assert_eq!(offered(&mut transfers, 9, offer()), status::NOTED);
    let (id, _) = transfers.iter().next().expect("a transfer");
    transfers.on_opened(NOW, id, Some(StreamId(4)));
    let want = Want {
        hash: [3; 32],
        first: 0,
        groups: 1,
        bytes: 100,
    };
    transfers.on_news(NOW, FileNews::Wants(id, vec![want]));
    let _ = moves(&mut transfers);
    (transfers, id)
}

fn comes(transfers: &mut Transfers, frame: &Frame) {
    transfers.on_bytes(NOW, (peer(1), StreamId(4)), &frame.encode());
}

#[test]
fn an_offer_is_kept_once_and_so_many_of_a_peer() {
    let mut transfers = transfers();
    for number in 0..20 {
        let expected = if number < 8 {
            status::NOTED
        } else {
            status::BUSY
        };
        assert_eq!(offered(&mut transfers, number, offer()), expected);
        let again = if number < 8 {
            status::NOTED
        } else {
            status::BUSY
        };
        assert_eq!(offered(&mut transfers, number, offer()), again);
    }
    assert_eq!(transfers.iter().count(), 8);
    let other = Offer {
        bytes: 8,
        ..offer()
    };
    assert_eq!(offered(&mut transfers, 0, other), status::REFUSED);
    let stranger = Notice::Offer(offer()).encode(1);
    let answer = transfers.on_request(NOW, peer(2), stranger, Welcome::Stranger);
    assert_eq!(answer, status::REFUSED);
    let unknown = Notice::Accepted.encode(77);
    assert_eq!(
        transfers.on_request(NOW, peer(1), unknown, Welcome::Welcome),
        status::UNKNOWN
    );
    let garbage = Bytes::from_static(b"\xFFgarbage");
    assert_eq!(
        transfers.on_request(NOW, peer(1), garbage, Welcome::Welcome),
        status::MALFORMED
    );
}

#[test]
fn no_peer_speaks_of_the_transfers_of_another() {
    let (mut transfers, id) = listing();
    let ended = Notice::Ended(None).encode(9);
    assert_eq!(
        transfers.on_request(NOW, peer(2), ended, Welcome::Welcome),
        status::UNKNOWN
    );
    // Not even on a stream: it is for nothing.
    transfers.on_connected(NOW, peer(2));
    // It is offered something, too, so that it may open a stream.
    let own = transfers
        .send(NOW, peer(2), vec!["/b".into()])
        .expect("room");
    transfers.on_news(NOW, FileNews::Hashed(own, offer(), 0));
    let _ = moves(&mut transfers);
    assert!(transfers.on_stream(peer(2), StreamId(1)));
    let claim = Frame::Transfer(9).encode();
    transfers.on_bytes(NOW, (peer(2), StreamId(1)), &claim);
    let given_up = |m: &Move| matches!(m, Move::Abandon(of, StreamId(1)) if *of == peer(2));
    assert!(moves(&mut transfers).iter().any(given_up));
    assert_eq!(transfers.get(id).expect("it stays").stage, Stage::Listing);
}

#[test]
fn content_beyond_what_was_asked_ends_it_before_it_is_held() {
    // More than the proven groups can be.
    let (mut transfers, id) = listing();
    for _ in 0..2 {
        comes(&mut transfers, &Frame::Data(vec![0; 6_000].into()));
    }
    let stage = transfers.get(id).expect("it is shown").stage;
    assert_eq!(stage, Stage::Failed(Reason::Protocol));
    // What was not asked for, and frames of the other side.
    for frame in [Frame::End, Frame::Progress(1, 1), Frame::Transfer(9)] {
        let (mut transfers, id) = listing();
        comes(&mut transfers, &Frame::End);
        let order = |m: &Move| matches!(m, Move::Disk(Order::Store(..)));
        assert!(
            moves(&mut transfers).iter().any(order),
            "what was asked for is handed on"
        );
        comes(&mut transfers, &frame);
        let stage = transfers.get(id).expect("it is shown").stage;
        assert_eq!(stage, Stage::Failed(Reason::Protocol), "{frame:?}");
    }
}

#[test]
fn wants_and_streams_of_a_peer_are_bounded() {
    let mut transfers = transfers();
    let id = transfers
        .send(NOW, peer(1), vec!["/a".into()])
        .expect("room");
    transfers.on_news(NOW, FileNews::Hashed(id, offer(), 0));
    for stream in 0..100 {
        // Who is offered nothing has nothing to open a stream for, and takes nobody's place.
        assert!(!transfers.on_stream(peer(2), StreamId(stream)));
        assert_eq!(transfers.on_stream(peer(1), StreamId(stream)), stream < 8);
    }
    let claim = Frame::Transfer(id.0).encode();
    transfers.on_bytes(NOW, (peer(1), StreamId(0)), &claim);
    let want = Want {
        hash: [3; 32],
        first: 0,
        groups: u64::MAX,
        bytes: 0,
    };
    let mut orders = 0;
    for _ in 0..3_000 {
        transfers.on_bytes(NOW, (peer(1), StreamId(0)), &Frame::Want(want).encode());
        let proves = |m: &Move| matches!(m, Move::Disk(Order::Prove(..)));
        orders += moves(&mut transfers).iter().filter(|m| proves(m)).count();
    }
    assert!(orders <= 4, "{orders} read at once");
    let stage = transfers.get(id).expect("it is shown").stage;
    assert_eq!(stage, Stage::Failed(Reason::Protocol));
}

/// What was offered before a restart is known to the receiver while it is hashed anew.
#[test]
fn a_cancelled_transfer_is_told_to_whoever_was_offered_it() {
    let mut transfers = transfers();
    transfers.on_connected(NOW, peer(1));
    let mut send = || {
        transfers
            .send(NOW, peer(1), vec!["/a".into()])
            .expect("room")
    };
    let (fresh, known) = (send(), send());
    transfers.table.get_mut(&known).expect("it is there").offer = offer();
    let mut words = |id| {
        transfers.cancel(NOW, id).expect("it is not over");
        let asks = |m: &Move| matches!(m, Move::Ask(..));
        moves(&mut transfers).iter().filter(|m| asks(m)).count()
    };
    assert_eq!((words(fresh), words(known)), (0, 1));
}

#[test]
fn nothing_of_a_peer_goes_on_that_the_owner_wants_nothing_of() {
    let mut transfers = transfers();
    let id = transfers
        .send(NOW, peer(1), vec!["/a".into()])
        .expect("room");
    transfers.on_news(NOW, FileNews::Hashed(id, offer(), 0));
    transfers.on_disconnected(NOW, peer(1));
    assert!(transfers.next_timeout().is_some(), "the peer is called");
    transfers.end_of_peer(NOW, peer(1));
    assert_eq!(transfers.get(id).map(|t| t.stage), Some(Stage::Cancelled));
    assert_eq!(transfers.next_timeout(), None);
}

#[test]
fn a_word_that_took_the_place_of_another_is_told_too() {
    let (mut transfers, id) = listing();
    transfers.on_news(NOW, FileNews::Listed(id, Vec::new()));
    transfers
        .accept(NOW, id, "/got".into(), Default::default())
        .expect("offered");
    transfers.on_news(NOW, FileNews::Ready(id, 0, 0));
    transfers.on_news(NOW, FileNews::Placed(id, Default::default()));
    let asked = |moves: Vec<Move>| {
        let words = moves.into_iter().filter_map(|m| match m {
            Move::Ask(_, _, body) => Notice::decode(body).map(|(_, notice)| notice),
            _ => None,
        });
        words.collect::<Vec<_>>()
    };
    assert_eq!(asked(moves(&mut transfers)), [Notice::Accepted]);
    transfers.on_answer(NOW, id, Some(status::NOTED));
    let receipt = Notice::Done(Default::default());
    assert_eq!(asked(moves(&mut transfers)), std::slice::from_ref(&receipt));
    // Until it is answered.
    transfers.on_answer(NOW, id, None);
    let due = transfers.next_timeout().expect("it is told again");
    transfers.on_time(due);
    assert_eq!(asked(moves(&mut transfers)), [receipt]);
    transfers.on_answer(due, id, Some(status::NOTED));
    assert_eq!(transfers.next_timeout(), None);
}
