//! WebSockets of peers' web applications, over real sockets with a library that others wrote at both ends: frames of
//! every kind pass, closing is a conversation, and what breaks is seen.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use p2p_tests::api::{Api, eventually};
use p2p_tests::nodes::Kind;
use p2p_tests::pair::Pair;
use serde_json::json;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

const MIB: usize = 1 << 20;
/// Longest silence of a connection.
const PATIENCE: Duration = Duration::from_secs(60);

/// An application that says everything again. `stop` makes it leave without a word, `close` with one.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut socket = tungstenite::accept(stream).expect("a WebSocket");
                while let Ok(message) = socket.read() {
                    match &message {
                        Message::Text(text) if text.as_str() == "stop" => return,
                        Message::Text(text) if text.as_str() == "close" => {
                            let frame = CloseFrame {
                                code: CloseCode::Away,
                                reason: "going".into(),
                            };
                            socket.close(Some(frame)).expect("said");
                        }
                        Message::Text(_) | Message::Binary(_) => {
                            socket.send(message).expect("said");
                        }
                        _ => {}
                    }
                }
            });
        }
    });
    address
}

struct World {
    pair: Pair,
}

impl World {
    fn new(ada: Kind, ben: Kind) -> Self {
        let pair = Pair::new(ada, ben);
        let target = format!("http://{}", echo());
        pair.offer("chat", json!({"deliver": "http", "target": target}));
        Self { pair }
    }

    fn open(&self) -> Result<WebSocket<TcpStream>, Box<Error>> {
        let path = format!("/v1/peers/{}/services/chat/room", self.pair.ben_id());
        open(&self.pair.ada.api, &path)
    }
}

fn open(api: &Api, path: &str) -> Result<WebSocket<TcpStream>, Box<Error>> {
    let stream = TcpStream::connect(api.address).expect("the node listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut request = format!("ws://{}{path}", api.address)
        .into_client_request()
        .expect("an address");
    let token = format!("Bearer {}", api.token).parse().expect("a value");
    request.headers_mut().insert("authorization", token);
    match tungstenite::client(request, stream) {
        Ok((socket, answer)) => {
            assert_eq!(answer.status(), 101);
            Ok(socket)
        }
        Err(HandshakeError::Failure(error)) => Err(Box::new(error)),
        Err(HandshakeError::Interrupted(_)) => panic!("the socket waits"),
    }
}

/// Says something and expects it back.
fn say(socket: &mut WebSocket<TcpStream>, message: Message) {
    socket.send(message.clone()).expect("taken");
    assert!(socket.read().expect("an answer") == message);
}

#[test]
fn frames_pass_both_ways_and_closing_is_a_conversation() {
    for ben in [Kind::Smol, Kind::Threads] {
        let world = World::new(Kind::Smol, ben);
        let mut socket = world.open().expect("a WebSocket");
        for n in 0..200 {
            say(&mut socket, Message::text(format!("message {n}")));
        }
        let bytes: Vec<u8> = (0..MIB as u32).map(|n| (n >> 7) as u8).collect();
        for _ in 0..32 {
            say(&mut socket, Message::binary(bytes.clone()));
        }
        let ping = bytes::Bytes::from_static(b"are you there");
        socket.send(Message::Ping(ping.clone())).expect("taken");
        assert_eq!(socket.read().expect("a pong"), Message::Pong(ping));
        // Many at once, none waits for an answer.
        let mut sockets: Vec<_> = (0..40).map(|_| world.open().expect("another")).collect();
        for (n, socket) in sockets.iter_mut().enumerate() {
            socket.send(Message::text(n.to_string())).expect("taken");
        }
        for (n, socket) in sockets.iter_mut().enumerate() {
            assert_eq!(
                socket.read().expect("an answer"),
                Message::text(n.to_string())
            );
        }
        socket.send(Message::text("close")).expect("taken");
        let Message::Close(Some(frame)) = socket.read().expect("a word") else {
            panic!("another word");
        };
        assert_eq!(
            (frame.code, frame.reason.as_str()),
            (CloseCode::Away, "going")
        );
        // The answer goes out, and then the connection ends well.
        let end = loop {
            match socket.read() {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(end, Error::ConnectionClosed), "{end}");
    }
}

#[test]
fn an_application_that_leaves_is_seen_to_leave() {
    for ben in [Kind::Smol, Kind::Threads] {
        let world = World::new(Kind::Smol, ben);
        let mut socket = world.open().expect("a WebSocket");
        socket.send(Message::text("stop")).expect("taken");
        let end = socket.read().expect_err("it left without a word");
        let is_seen = matches!(end, Error::Protocol(_) | Error::Io(_));
        assert!(is_seen && !matches!(end, Error::ConnectionClosed), "{end}");
        // So is a program, and an application that is not there.
        let socket = world.open().expect("another");
        drop(socket);
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let target = format!("http://{}", free.local_addr().expect("an address"));
        drop(free);
        let service = json!({"deliver": "http", "target": target});
        world.pair.offer("chat", service);
        let refused = world.open().expect_err("nobody listens");
        let Error::Http(answer) = *refused else {
            panic!("another error");
        };
        assert_eq!(answer.status(), 503);
        eventually("the node goes on", || {
            (world.pair.ada.api.get("/v1/node").status == 200).then_some(())
        });
    }
}

#[test]
fn a_driver_that_cannot_says_so() {
    let world = World::new(Kind::Threads, Kind::Smol);
    let refused = world.open().expect_err("tiny_http cannot");
    let Error::Http(answer) = *refused else {
        panic!("another error");
    };
    assert_eq!(answer.status(), 501);
    let code = answer.headers().get("x-p2p-problem");
    assert_eq!(
        code.map(|v| v.as_bytes()),
        Some(&b"upgrade_not_supported"[..])
    );
}

#[test]
fn a_line_carries_datagrams_both_ways() {
    for ben in [Kind::Smol, Kind::Threads] {
        let mut pair = Pair::new(Kind::Smol, ben);
        let path = format!("/v1/peers/{}/line?channel=3", pair.ben_id());
        let mut line = open(&pair.ada.api, &path).expect("a line");
        line.send(Message::binary(&b"from the page"[..]))
            .expect("taken");
        eventually("it is in ben's inbox", || {
            let inbox = pair.ben().get("/v1/inbox?type=datagram&channel=3").json();
            (inbox["items"][0]["text"] == "from the page").then_some(())
        });
        let target = format!("/v1/peers/{}/datagrams?channel=3", pair.ada.id);
        for n in 0..100_u8 {
            let _ = pair.ben().post(&target, &[n]).expect(202);
            let told = line.read().expect("a datagram");
            assert_eq!(told, Message::binary(vec![n]));
        }
        assert_eq!(pair.ada.api.get("/v1/inbox").json()["items"], json!([]));
        pair.ben = None;
        let Message::Close(Some(frame)) = line.read().expect("a word") else {
            panic!("another word");
        };
        assert_eq!(frame.code, CloseCode::Away);
    }
}
