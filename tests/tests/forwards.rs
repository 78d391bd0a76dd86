//! Programs that speak TCP with programs of peers, through forwards on both drivers, over real sockets: every byte
//! arrives, each half ends by itself, what breaks is seen as broken, and a slow reader slows its sender.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use p2p_tests::api::eventually;
use p2p_tests::nodes::Kind;
use p2p_tests::pair::{Pair, for_all, put};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;
/// Longest silence of a connection.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ada's port leads to a listener of the test, at ben.
struct World {
    pair: Pair,
    port: SocketAddr,
    target: TcpListener,
}

impl World {
    fn new(ada: Kind, ben: Kind) -> Self {
        let pair = Pair::new(ada, ben);
        let target = TcpListener::bind("127.0.0.1:0").expect("a port");
        let world = Self {
            port: forward(&pair),
            pair,
            target,
        };
        world.offer();
        world
    }

    fn offer(&self) {
        let target = self.target.local_addr().expect("an address");
        let service = json!({"deliver": "tcp", "target": target.to_string()});
        self.pair.offer("raw", service);
    }

    /// A program's connection.
    fn connect(&self) -> TcpStream {
        patient(TcpStream::connect(self.port).expect("the port is there"))
    }

    /// Where a program's connection comes out.
    fn accept(&self) -> TcpStream {
        patient(self.target.accept().expect("a connection").0)
    }

    fn state(&self) -> Value {
        self.pair.ada.api.get("/v1/forwards/raw").expect(200).json()
    }
}

fn forward(pair: &Pair) -> SocketAddr {
    let body = json!({"peer": "ben", "service": "raw"});
    let made = put(&pair.ada.api, "/v1/forwards/raw", &body)
        .expect(200)
        .json();
    let listen = made["listen"].as_str().expect("an address");
    listen.parse().expect("it can be dialled")
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

fn content(seed: u32, bytes: usize) -> Vec<u8> {
    let byte = |n: u32| (n.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 24) as u8;
    (0..bytes as u32).map(byte).collect()
}

fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream)
        .set_linger(Some(Duration::ZERO))
        .expect("set");
}

/// What reading ends with, and how many bytes came before.
fn read_to_end(stream: &mut TcpStream) -> (usize, Option<io::ErrorKind>) {
    let (mut count, mut buffer) = (0, [0; 65_536]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (count, None),
            Ok(bytes) => count += bytes,
            Err(error) => return (count, Some(error.kind())),
        }
    }
}

#[test]
fn every_byte_arrives_both_ways_and_halves_end_by_themselves() {
    for_all(|ada, ben| {
        let world = World::new(ada, ben);
        let bytes = if ada == ben { 64 * MIB } else { 16 * MIB };
        let (up, down) = (content(1, bytes), content(2, bytes));
        let mut program = world.connect();
        let mut application = world.accept();
        let mut writer = program.try_clone().expect("a second handle");
        let sent = up.clone();
        let sending = thread::spawn(move || {
            writer.write_all(&sent).expect("taken");
            writer.shutdown(Shutdown::Write).expect("ended");
        });
        let expected = up;
        let answering = thread::spawn(move || {
            let mut answer = application.try_clone().expect("a second handle");
            let told = down.clone();
            let writing = thread::spawn(move || {
                answer.write_all(&told).expect("taken");
            });
            let mut got = Vec::new();
            application.read_to_end(&mut got).expect("a clean end");
            assert!(got == expected, "{} bytes went up", got.len());
            writing.join().expect("no panic");
            // Its half is open still, though the other has ended.
            application.write_all(b"last").expect("taken");
            drop(application);
            down
        });
        let mut got = Vec::new();
        program.read_to_end(&mut got).expect("a clean end");
        sending.join().expect("no panic");
        let mut down = answering.join().expect("no panic");
        down.extend_from_slice(b"last");
        assert!(got == down, "{} bytes came down", got.len());
        let state = world.state();
        assert_eq!(state["sent_bytes"], bytes);
        assert_eq!(state["received_bytes"], bytes + 4);
        assert_eq!(
            (&state["connections"], &state["failed"]),
            (&1.into(), &0.into())
        );
    });
}

#[test]
fn what_breaks_is_seen_as_broken() {
    for_all(|ada, ben| {
        let world = World::new(ada, ben);
        // The application is killed in the middle.
        let mut program = world.connect();
        let mut application = world.accept();
        application.write_all(&[7; 100_000]).expect("taken");
        program.read_exact(&mut [0; 100_000]).expect("all of it");
        reset(&application);
        drop(application);
        let end = read_to_end(&mut program);
        assert_eq!(end, (0, Some(io::ErrorKind::ConnectionReset)));
        // The program is killed in the middle.
        let mut program = world.connect();
        let mut application = world.accept();
        program.write_all(&[7; 100_000]).expect("taken");
        application.read_exact(&mut [0; 100_000]).expect("all");
        reset(&program);
        drop(program);
        let end = read_to_end(&mut application);
        assert_eq!(end, (0, Some(io::ErrorKind::ConnectionReset)));
        // Nobody listens.
        let address = world.target.local_addr().expect("an address");
        let World { pair, port, target } = world;
        drop(target);
        let mut program = patient(TcpStream::connect(port).expect("the port is there"));
        let end = read_to_end(&mut program);
        assert_eq!(end, (0, Some(io::ErrorKind::ConnectionReset)));
        eventually("the failure is told", || {
            let state = pair.ada.api.get("/v1/forwards/raw").json();
            (state["last_error"] == "service_unavailable").then_some(())
        });
        // It listens again.
        let target = TcpListener::bind(address).expect("the same port");
        let mut program = patient(TcpStream::connect(port).expect("the port is there"));
        let (mut application, _) = target.accept().expect("a connection");
        application.write_all(b"x").expect("taken");
        program.read_exact(&mut [0]).expect("it came through");
    });
}

#[test]
fn a_forward_outlives_the_peer() {
    for (ada, ben) in [(Kind::Smol, Kind::Threads), (Kind::Threads, Kind::Smol)] {
        let mut world = World::new(ada, ben);
        let mut program = world.connect();
        let mut application = world.accept();
        application.write_all(b"x").expect("taken");
        program.read_exact(&mut [0]).expect("it came through");
        world.pair.ben = None;
        let end = read_to_end(&mut program);
        assert_eq!(end, (0, Some(io::ErrorKind::ConnectionReset)));
        let end = read_to_end(&mut application);
        assert!(end.0 == 0, "nothing was sent: {end:?}");
        world.pair.restart_ben();
        world.offer();
        // The forward connects to the peer by itself, once its introducer knows it again.
        let (mut program, mut application) = eventually("a connection comes through", || {
            let mut program = world.connect();
            program.write_all(b"hello").expect("taken");
            world.target.set_nonblocking(true).expect("set");
            let end = Instant::now() + Duration::from_secs(5);
            let taken = loop {
                match world.target.accept() {
                    Ok((stream, _)) => break Some(stream),
                    Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
                    Err(_) => break None,
                }
            };
            Some((program, taken?))
        });
        application.set_nonblocking(false).expect("set");
        application
            .read_exact(&mut [0; 5])
            .expect("what was sent before");
        application.write_all(b"again").expect("taken");
        program.read_exact(&mut [0; 5]).expect("it came through");
    }
}

#[test]
fn two_hundred_programs_connect_at_once() {
    for_all(|ada, ben| {
        let world = World::new(ada, ben);
        let target = world.target.try_clone().expect("a second handle");
        thread::spawn(move || {
            for mut stream in target.incoming().flatten() {
                thread::spawn(move || {
                    let mut said = Vec::new();
                    stream.read_to_end(&mut said).expect("a clean end");
                    stream.write_all(&said).expect("taken");
                });
            }
        });
        let programs: Vec<TcpStream> = (0..200).map(|_| world.connect()).collect();
        for (n, mut program) in (0_u32..).zip(&programs) {
            program.write_all(&n.to_be_bytes()).expect("taken");
        }
        for program in &programs {
            program.shutdown(Shutdown::Write).expect("ended");
        }
        for (n, mut program) in (0_u32..).zip(&programs) {
            let mut said = Vec::new();
            program.read_to_end(&mut said).expect("a clean end");
            assert_eq!(said, n.to_be_bytes(), "{n}");
        }
        let state = world.state();
        assert_eq!(
            (&state["connections"], &state["failed"]),
            (&200.into(), &0.into())
        );
    });
}

#[test]
fn a_slow_reader_slows_its_sender() {
    for_all(|ada, ben| {
        let world = World::new(ada, ben);
        for upwards in [true, false] {
            let (program, application) = (world.connect(), world.accept());
            let (mut from, mut to) = if upwards {
                (program, application)
            } else {
                (application, program)
            };
            let written = Arc::new(AtomicUsize::new(0));
            let count = written.clone();
            let sending = thread::spawn(move || {
                let piece = content(3, MIB / 4);
                for _ in 0..256 {
                    from.write_all(&piece).expect("taken in the end");
                    count.fetch_add(piece.len(), Ordering::Relaxed);
                }
            });
            let mut before = 0;
            eventually("the sender stands still", || {
                thread::sleep(Duration::from_millis(700));
                let now = written.load(Ordering::Relaxed);
                let stands = now == before && now > 0;
                before = now;
                stands.then_some(())
            });
            // At the system in four sockets, 256 KiB at each node, and a stream's window.
            assert!(before < 40 * MIB, "{before} bytes for one that reads none");
            let mut got = Vec::new();
            to.read_to_end(&mut got).expect("a clean end");
            sending.join().expect("no panic");
            let piece = content(3, MIB / 4);
            assert!(got.chunks(MIB / 4).all(|part| part == piece));
            assert_eq!(got.len(), 64 * MIB);
        }
    });
}
