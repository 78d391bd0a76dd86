//! Real sockets on loopback: the keeper on one side, plain blocking sockets on the other.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use bytes::Bytes;
use p2p_http_api::{SocketId, SocketNews, SocketOrder, Sockets as _};

use super::TcpKeeper;

const ID: SocketId = SocketId(2);
/// Longest wait for news that must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn keeper() -> (TcpKeeper, Receiver<SocketNews>) {
    let (news, told) = channel();
    let keeper = TcpKeeper::start(move |told| {
        let _ = news.send(told);
    });
    (keeper.expect("a thread"), told)
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

fn connect(addresses: Vec<SocketAddr>) -> SocketOrder {
    SocketOrder::Connect {
        id: ID,
        addresses,
        timeout: Duration::from_secs(5),
    }
}

/// A connection with its other end.
fn connected() -> (TcpKeeper, Receiver<SocketNews>, TcpStream) {
    let (mut keeper, told) = keeper();
    let (listener, address) = listener();
    keeper.carry_out(connect(vec![address]));
    let (stream, _) = listener.accept().expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    (keeper, told, stream)
}

fn next(told: &Receiver<SocketNews>) -> SocketNews {
    loop {
        match told.recv_timeout(PATIENCE).expect("news") {
            SocketNews::Written(..) => {}
            news => return news,
        }
    }
}

#[test]
fn bytes_and_ends_pass_both_ways_and_one_half_may_end_first() {
    let (mut keeper, told, mut other) = connected();
    keeper.carry_out(SocketOrder::Write(ID, Bytes::from_static(b"hello")));
    keeper.carry_out(SocketOrder::Finish(ID));
    let mut heard = String::new();
    other.read_to_string(&mut heard).expect("all of it");
    assert_eq!(heard, "hello");
    assert_eq!(told.recv_timeout(PATIENCE), Ok(SocketNews::Written(ID, 5)));
    keeper.carry_out(SocketOrder::Read(ID, 3));
    other.write_all(b"answer").expect("taken");
    other.shutdown(Shutdown::Write).expect("ended");
    assert_eq!(
        next(&told),
        SocketNews::Read(ID, Bytes::from_static(b"ans"))
    );
    keeper.carry_out(SocketOrder::Read(ID, 100));
    assert_eq!(
        next(&told),
        SocketNews::Read(ID, Bytes::from_static(b"wer"))
    );
    assert_eq!(next(&told), SocketNews::Ended(ID));
}

#[test]
fn what_is_not_allowed_is_not_read() {
    let (mut keeper, told, mut other) = connected();
    let writer = std::thread::spawn(move || {
        other
            .write_all(&vec![7; 4 << 20])
            .expect("taken in the end");
        other
    });
    let mut read = 0;
    while read < 4 << 20 {
        keeper.carry_out(SocketOrder::Read(ID, 100_000));
        let mut allowed = 100_000;
        while allowed > 0 && read < 4 << 20 {
            let SocketNews::Read(_, bytes) = next(&told) else {
                panic!("it ended early");
            };
            assert!(bytes.len() <= allowed && bytes.iter().all(|b| *b == 7));
            allowed -= bytes.len();
            read += bytes.len();
        }
    }
    assert_eq!(read, 4 << 20);
    drop(writer.join());
    keeper.carry_out(SocketOrder::Read(ID, 1));
    assert_eq!(next(&told), SocketNews::Ended(ID));
}

#[test]
fn writes_wait_for_a_slow_reader_and_are_told() {
    let (mut keeper, told, mut other) = connected();
    let bytes = Bytes::from(vec![9; 8 << 20]);
    keeper.carry_out(SocketOrder::Write(ID, bytes));
    keeper.carry_out(SocketOrder::Finish(ID));
    let mut heard = Vec::new();
    other.read_to_end(&mut heard).expect("all of it");
    assert_eq!(heard.len(), 8 << 20);
    let mut written = 0;
    while written < 8 << 20 {
        match told.recv_timeout(PATIENCE) {
            Ok(SocketNews::Written(_, bytes)) => written += bytes,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_first_address_that_answers_is_taken_and_none_is_told() {
    let (free, nobody) = listener();
    drop(free);
    let (mut keeper, told) = keeper();
    keeper.carry_out(connect(vec![nobody]));
    assert_eq!(next(&told), SocketNews::Refused(ID));
    let (listener, address) = listener();
    keeper.carry_out(connect(vec![nobody, address]));
    keeper.carry_out(SocketOrder::Write(ID, Bytes::from_static(b"x")));
    let (mut other, _) = listener.accept().expect("the second one");
    let mut heard = [0];
    other
        .read_exact(&mut heard)
        .expect("what was written before");
}

#[test]
fn resets_pass_both_ways() {
    let (mut keeper, _told, mut other) = connected();
    keeper.carry_out(SocketOrder::Reset(ID));
    let error = other.read(&mut [0]).expect_err("not an end");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let (mut keeper, told, other) = connected();
    keeper.carry_out(SocketOrder::Write(ID, Bytes::from_static(b"x")));
    assert_eq!(told.recv_timeout(PATIENCE), Ok(SocketNews::Written(ID, 1)));
    socket2::SockRef::from(&other)
        .set_linger(Some(Duration::ZERO))
        .expect("set");
    drop(other);
    assert_eq!(
        next(&told),
        SocketNews::Broken(ID),
        "though nothing may be read"
    );
}

#[test]
fn all_connections_end_with_the_keeper() {
    let (keeper, _told, mut other) = connected();
    drop(keeper);
    match other.read(&mut [0]) {
        Ok(0) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        Ok(_) => panic!("nobody sent anything"),
    }
}

const PORT: SocketId = SocketId(70);

/// A keeper that listens on a free port.
fn listening() -> (TcpKeeper, Receiver<SocketNews>, SocketAddr) {
    let (mut keeper, told) = keeper();
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    keeper.carry_out(SocketOrder::Listen { id: PORT, address });
    let SocketNews::Listening(PORT, bound) = next(&told) else {
        panic!("no port");
    };
    (keeper, told, bound)
}

fn accept(id: u64) -> SocketOrder {
    SocketOrder::Accept {
        listener: PORT,
        id: SocketId(id),
    }
}

#[test]
fn programs_are_taken_as_they_are_asked_for() {
    let (mut keeper, told, address) = listening();
    let mut programs: Vec<TcpStream> = (0..3)
        .map(|_| TcpStream::connect(address).expect("the system takes it"))
        .collect();
    keeper.carry_out(accept(1));
    assert_eq!(next(&told), SocketNews::Accepted(SocketId(1)));
    keeper.carry_out(accept(2));
    keeper.carry_out(accept(3));
    assert_eq!(next(&told), SocketNews::Accepted(SocketId(2)));
    assert_eq!(next(&told), SocketNews::Accepted(SocketId(3)));
    // Asked for before it comes.
    keeper.carry_out(accept(4));
    programs.push(TcpStream::connect(address).expect("the system takes it"));
    assert_eq!(next(&told), SocketNews::Accepted(SocketId(4)));
    for (id, program) in (1..).map(SocketId).zip(&mut programs) {
        program.write_all(b"hello").expect("taken");
        keeper.carry_out(SocketOrder::Read(id, 100));
        let heard = Bytes::from_static(b"hello");
        assert_eq!(next(&told), SocketNews::Read(id, heard));
        keeper.carry_out(SocketOrder::Write(id, Bytes::from_static(b"x")));
        program.read_exact(&mut [0]).expect("an answer");
    }
}

#[test]
fn a_port_is_had_once_and_free_again_when_closed() {
    let (mut keeper, told, address) = listening();
    let id = SocketId(71);
    keeper.carry_out(SocketOrder::Listen { id, address });
    let in_use = SocketNews::NotListening(id, std::io::ErrorKind::AddrInUse);
    assert_eq!(next(&told), in_use);
    let program = TcpStream::connect(address).expect("the system takes it");
    keeper.carry_out(accept(1));
    assert_eq!(next(&told), SocketNews::Accepted(SocketId(1)));
    keeper.carry_out(SocketOrder::Close(PORT));
    keeper.carry_out(SocketOrder::Listen { id, address });
    assert_eq!(next(&told), SocketNews::Listening(id, address));
    // What it took before goes on.
    keeper.carry_out(SocketOrder::Write(SocketId(1), Bytes::from_static(b"x")));
    (&program).read_exact(&mut [0]).expect("it is written");
}
