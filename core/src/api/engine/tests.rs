//! The typed methods against a stand-in that answers every command alike.

use super::*;

struct Fixed(Accepted, Vec<Command>);

impl Engine for Fixed {
    fn id(&self) -> NodeId {
        NodeId::from_bytes([0; 32])
    }
    fn handle_arrival(&mut self, _: Instant, _: Arrival<'_>) {}
    fn handle_send_error(&mut self, _: Instant, _: SocketAddr, _: Option<IpAddr>) {}
    fn handle_timeout(&mut self, _: Instant) {}
    fn handle_command(&mut self, _: Instant, command: Command) -> Result<Accepted, ApiMisuse> {
        self.1.push(command);
        Ok(self.0)
    }
    fn read_stream(
        &mut self,
        _: Instant,
        _: NodeId,
        _: StreamId,
        _: usize,
    ) -> Result<StreamRead, ApiMisuse> {
        Err(ApiMisuse::UnknownStream)
    }
    fn read_message(&mut self, _: Instant, _: NodeId, _: MessageId) -> Result<Bytes, ApiMisuse> {
        Err(ApiMisuse::UnknownMessage)
    }
    fn take_message(&mut self, _: Instant, _: NodeId, _: MessageId) -> Result<Bytes, ApiMisuse> {
        Err(ApiMisuse::UnknownMessage)
    }
    fn poll_transmit(&mut self, _: Instant, _: &mut [u8]) -> Option<Transmit> {
        None
    }
    fn poll_event(&mut self) -> Option<Event> {
        None
    }
    fn poll_effect(&mut self) -> Option<Effect> {
        None
    }
    fn poll_timeout(&self) -> Option<Deadline> {
        None
    }
    fn status(&self, _: Instant) -> NodeStatus {
        panic!("nobody asks")
    }
    fn peers(&self, _: Instant) -> Vec<PeerStatus> {
        Vec::new()
    }
    fn peers_between(&self, _: RangeInclusive<NodeId>, _: usize) -> Vec<NodeId> {
        Vec::new()
    }
    fn peer(&self, _: Instant, _: &NodeId) -> Option<PeerStatus> {
        None
    }
    fn why(&self, _: Instant, _: &NodeId) -> Option<Why> {
        None
    }
}

const NOW: Instant = Instant::EPOCH;
const SECOND: Duration = Duration::from_secs(1);

/// What every typed method gives when the engine answers each command with `answer`.
fn all(answer: Accepted) -> Vec<Result<u64, ApiMisuse>> {
    let peer = NodeId::from_bytes([1; 32]);
    let mut engine = Fixed(answer, Vec::new());
    let engine: &mut dyn Engine = &mut engine;
    let stream = StreamId(0);
    let data = Bytes::from_static(b"x");
    let answer = Answer {
        status: 0,
        body: Bytes::new(),
    };
    let target = ConnectTarget::Id(peer);
    vec![
        engine.disconnect(NOW, peer).map(|()| 0),
        engine.ping(NOW, peer).map(|()| 0),
        engine
            .send_datagram(NOW, peer, 0, data.clone(), None)
            .map(|()| 0),
        engine.answer(NOW, peer, RequestId(1), answer).map(|()| 0),
        engine.finish_stream(NOW, peer, stream).map(|()| 0),
        engine
            .search(NOW, "abc".to_owned(), None, None)
            .map(|o| o.0),
        engine.connect(NOW, target, None, SECOND).map(|o| o.0),
        engine
            .request(NOW, peer, ("echo".to_owned(), 0), data.clone(), SECOND)
            .map(|r| r.0),
        engine
            .send_message(NOW, peer, 0, data.clone(), None)
            .map(|m| m.0),
        engine.open_stream(NOW, peer, 0).map(|s| s.0),
        engine
            .write_stream(NOW, peer, stream, data)
            .map(|n| n as u64),
    ]
}

#[test]
fn each_method_takes_only_what_its_own_command_yields() {
    let answers = [
        (Accepted::Done, 0, 0..5),
        (Accepted::Operation(OperationId(7)), 7, 5..7),
        (Accepted::Request(RequestId(8)), 8, 7..8),
        (Accepted::Message(MessageId(9)), 9, 8..9),
        (Accepted::Stream(StreamId(10)), 10, 9..10),
        (Accepted::Written(11), 11, 10..11),
    ];
    for (answer, number, own) in answers {
        for (method, result) in all(answer).into_iter().enumerate() {
            let expected = if own.contains(&method) {
                Ok(number)
            } else {
                Err(ApiMisuse::ForeignAnswer)
            };
            assert_eq!(result, expected, "method {method} answered with {answer:?}");
        }
    }
}

#[test]
fn each_method_gives_its_own_command_once() {
    let peer = NodeId::from_bytes([1; 32]);
    let mut engine = Fixed(Accepted::Message(MessageId(1)), Vec::new());
    let data = Bytes::from_static(b"hello");
    let sent = engine.send_message(NOW, peer, 3, data.clone(), Some(SECOND));
    assert_eq!(sent, Ok(MessageId(1)));
    let [
        Command::SendMessage {
            peer: to,
            label,
            data: given,
            deadline: Some(SECOND),
        },
    ] = engine.1.as_slice()
    else {
        panic!("{:?}", engine.1);
    };
    assert_eq!((*to, given), (peer, &data));
    assert_eq!(*label, 3.into());
}
