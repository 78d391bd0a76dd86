//! Whose turn it is on a line that is full: what is urgent passes.

use bytes::Bytes;

use super::{Net, connected, count};
use crate::api::{Accepted, Command, Engine, Event, StreamId};
use crate::id::NodeId;
use crate::time::Duration;

/// Opens a stream of ada to ben.
fn open(net: &mut Net, peer: NodeId) -> StreamId {
    match net.order(
        2,
        Command::OpenStream {
            peer,
            label: 1.into(),
        },
    ) {
        Accepted::Stream(stream) => stream,
        other => panic!("not a stream: {other:?}"),
    }
}

/// Writes as much as the stream takes, and reads all that came.
fn keep_full(net: &mut Net, ada: NodeId, ben: NodeId, stream: StreamId) -> usize {
    let data = Bytes::from(vec![7; 1 << 20]);
    net.order(
        2,
        Command::WriteStream {
            peer: ben,
            stream,
            data,
        },
    );
    let (now, mut bytes) = (net.now, 0);
    while let Ok(crate::api::StreamRead::Data(data)) =
        net.node(3).read_stream(now, ada, stream, usize::MAX)
    {
        bytes += data.len();
    }
    bytes
}

#[test]
fn a_datagram_and_a_request_beside_a_saturating_stream_leave_with_the_next_packet() {
    let (mut net, ada, ben) = connected();
    let stream = open(&mut net, ben);
    for _ in 0..20 {
        keep_full(&mut net, ada, ben, stream);
        net.run(Duration::from_millis(5));
    }
    // Leaves more waiting than any window lets out.
    let now = net.now;
    net.events_of(ben);
    for sent in 1..=20 {
        keep_full(&mut net, ada, ben, stream);
        let (channel, data) = (9, Bytes::from_static(b"voice"));
        let expiry = None;
        net.order(
            2,
            Command::SendDatagram {
                peer: ben,
                label: channel.into(),
                data,
                expiry,
            },
        );
        let (service, body) = ("echo".to_owned(), Bytes::from_static(b"?"));
        let deadline = Duration::from_secs(5);
        net.order(
            2,
            Command::SendRequest {
                peer: ben,
                service,
                budget: 0,
                body,
                deadline,
            },
        );
        // One way takes a millisecond, and the pacer lets the next packet out within another.
        net.run(Duration::from_millis(3));
        let events = net.events.get(&ben).expect("told something");
        let datagrams = count(events, |e| matches!(e, Event::DatagramReceived { .. }));
        let requests = count(events, |e| matches!(e, Event::RequestReceived { .. }));
        assert_eq!((datagrams, requests), (sent, sent), "since {now:?}");
    }
}
