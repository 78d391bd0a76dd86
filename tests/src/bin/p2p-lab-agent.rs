//! The laboratory's hand inside a namespace: answers UDP probes with the address they came from, measures what a NAT
//! makes of a socket, and carries HTTP from a Unix socket (which every namespace can reach) to the namespace's own
//! loopback. Ends by itself after ten minutes, so that nothing stays behind a test that was killed.

use std::env;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::exit;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

const LIFE: Duration = Duration::from_secs(600);
const ATTEMPTS: u32 = 10;
const ATTEMPT: Duration = Duration::from_millis(200);
const LISTEN_FOR: Duration = Duration::from_millis(500);
/// Body of a probe that asks all reflectors except the one addressed to answer.
const OTHERS: &[u8] = b"others";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    thread::spawn(|| {
        thread::sleep(LIFE);
        exit(3);
    });
    let result = match words.as_slice() {
        ["reflect", addresses @ ..] => reflect(addresses),
        ["map", local, remotes @ ..] => map(local, remotes),
        ["filter", local, remote] => filter(local, remote),
        ["forward", path, target] => forward(path, target),
        _ => Err(io::Error::other("reflect | map | filter | forward")),
    };
    if let Err(error) = result {
        eprintln!("p2p-lab-agent {}: {error}", words.join(" "));
        exit(1);
    }
}

/// Answers each datagram with the text of its source address.
fn reflect(addresses: &[&str]) -> io::Result<()> {
    let sockets: Vec<UdpSocket> = addresses
        .iter()
        .map(UdpSocket::bind)
        .collect::<Result<_, _>>()?;
    let sockets = Arc::new(sockets);
    println!("ready");
    let serve = |own: usize| {
        let sockets = Arc::clone(&sockets);
        thread::spawn(move || {
            let mut buffer = [0; 64];
            while let Ok((length, from)) = sockets[own].recv_from(&mut buffer) {
                let others = &buffer[..length] == OTHERS;
                for (index, socket) in sockets.iter().enumerate() {
                    if (index == own) != others {
                        // A refusal by the kernel is as good as a lost answer.
                        let _ = socket.send_to(from.to_string().as_bytes(), from);
                    }
                }
            }
        })
    };
    let threads: Vec<_> = (0..addresses.len()).map(serve).collect();
    for thread in threads {
        let _ = thread.join();
    }
    Ok(())
}

/// Prints how one socket looks from each of several reflectors.
fn map(local: &str, remotes: &[&str]) -> io::Result<()> {
    let socket = UdpSocket::bind(local)?;
    socket.set_read_timeout(Some(ATTEMPT))?;
    for remote in remotes {
        let remote: SocketAddr = remote.parse().map_err(io::Error::other)?;
        println!("{}", ask(&socket, remote)?);
    }
    Ok(())
}

fn ask(socket: &UdpSocket, remote: SocketAddr) -> io::Result<String> {
    let mut buffer = [0; 64];
    for _ in 0..ATTEMPTS {
        socket.send_to(b"?", remote)?;
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            if from == remote {
                return Ok(String::from_utf8_lossy(&buffer[..length]).into_owned());
            }
        }
    }
    Err(io::Error::new(
        ErrorKind::TimedOut,
        format!("{remote} does not answer"),
    ))
}

/// Prints which reflectors reach a socket that has sent to `remote` alone.
fn filter(local: &str, remote: &str) -> io::Result<()> {
    let socket = UdpSocket::bind(local)?;
    socket.set_read_timeout(Some(ATTEMPT))?;
    let remote: SocketAddr = remote.parse().map_err(io::Error::other)?;
    ask(&socket, remote)?;
    socket.send_to(OTHERS, remote)?;
    let end = Instant::now() + LISTEN_FOR;
    let mut buffer = [0; 64];
    while Instant::now() < end {
        if let Ok((_, from)) = socket.recv_from(&mut buffer)
            && from != remote
        {
            println!("{from}");
        }
    }
    Ok(())
}

/// Joins each connection to a Unix socket with one to a TCP address.
fn forward(path: &str, target: &str) -> io::Result<()> {
    let listener = UnixListener::bind(path)?;
    println!("ready");
    for near in listener.incoming() {
        let near = near?;
        // Where nobody listens yet, the near side sees its connection end.
        if let Ok(far) = TcpStream::connect(target) {
            join(near, far)?;
        }
    }
    Ok(())
}

fn join(near: UnixStream, far: TcpStream) -> io::Result<()> {
    let (near_reader, far_writer) = (near.try_clone()?, far.try_clone()?);
    thread::spawn(move || {
        copy(near_reader, &far_writer);
        let _ = far_writer.shutdown(Shutdown::Write);
    });
    thread::spawn(move || {
        copy(far, &near);
        let _ = near.shutdown(Shutdown::Write);
    });
    Ok(())
}

/// Small pieces, so that what waits here does not hide the back-pressure under test.
fn copy(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}
