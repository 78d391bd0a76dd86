//! What the machine allows: batches of datagrams, each sealed with AES-256-GCM by itself, through the kernel's
//! segmentation offload and its opposite, one thread on each side, and nothing else of a protocol. The receiver
//! answers each batch with one byte, so that the sender does not overrun it; nothing is repeated.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::SockRef;

use crate::meter::Meter;
use crate::process::Failure;
use crate::sample::{Figures, percentiles};
use crate::usage;
use crate::workload::{DATAGRAM_BYTES, REQUEST_BYTES, REQUESTS_IN_FLIGHT, Workload};

/// Datagram of the bulk measurement, as large as ours and quinn's.
const SEGMENT_BYTES: usize = 1_452;
/// Nonce in front and tag behind the sealed bytes of each datagram.
const NONCE_BYTES: usize = 8;
const TAG_BYTES: usize = 16;
/// Segments in one call: what the kernel takes.
const SEGMENTS_MAX: usize = 64;
/// Bytes in one call: an IPv4 datagram before segmentation.
const BATCH_BYTES: usize = 65_507;
/// Batches under way before the sender waits for the receiver.
const WINDOW: u32 = 4;
/// Receive buffer: holds the window with the kernel's own overhead.
const SOCKET_BYTES: usize = 1 << 20;
/// Silence after which everything under way is taken for lost.
const LOSS: Duration = Duration::from_millis(20);

/// One side: a blocking socket with offload, a key, a counter.
struct Pipe {
    socket: UdpSocket,
    state: UdpSocketState,
    key: LessSafeKey,
    counter: u64,
    buffer: Vec<u8>,
}

impl Pipe {
    fn new() -> Result<Self, Failure> {
        let socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        SockRef::from(&socket).set_recv_buffer_size(SOCKET_BYTES)?;
        SockRef::from(&socket).set_send_buffer_size(SOCKET_BYTES)?;
        socket.set_nonblocking(false)?;
        let key = UnboundKey::new(&AES_256_GCM, &[9; 32])?;
        Ok(Self {
            socket,
            state,
            key: LessSafeKey::new(key),
            counter: 0,
            buffer: vec![0; BATCH_BYTES],
        })
    }

    /// Seals and sends as many datagrams of `body_bytes` as one call takes, at most `count`.
    fn send(&mut self, to: SocketAddr, body_bytes: usize, count: usize) -> Result<(), Failure> {
        let segment = NONCE_BYTES + body_bytes + TAG_BYTES;
        let count = count.min(BATCH_BYTES / segment);
        for datagram in self.buffer.chunks_exact_mut(segment).take(count) {
            let (number, rest) = datagram.split_at_mut(NONCE_BYTES);
            let (body, tag) = rest.split_at_mut(body_bytes);
            number.copy_from_slice(&self.counter.to_be_bytes());
            self.counter += 1;
            let nonce = nonce(number)?;
            let sealed = self
                .key
                .seal_in_place_separate_tag(nonce, Aad::from(&number), body)?;
            tag.copy_from_slice(sealed.as_ref());
        }
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: &self.buffer[..segment * count],
            segment_size: (count > 1).then_some(segment),
            src_ip: None,
        };
        self.state
            .try_send(UdpSockRef::from(&self.socket), &transmit)?;
        Ok(())
    }

    /// Receives one batch and opens every datagram in it; `None` if the time for it passed.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<Batch>, Failure> {
        let mut meta = [RecvMeta::default()];
        let mut slices = [IoSliceMut::new(buffer)];
        let socket = UdpSockRef::from(&self.socket);
        match self.state.recv(socket, &mut slices, &mut meta) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let [meta] = meta;
        let mut batch = Batch {
            from: meta.addr,
            count: 0,
            bytes: 0,
        };
        for datagram in buffer[..meta.len].chunks_mut(meta.stride.max(1)) {
            if datagram.len() > NONCE_BYTES + TAG_BYTES {
                let (number, rest) = datagram.split_at_mut(NONCE_BYTES);
                let nonce = nonce(number)?;
                let opened = self.key.open_in_place(nonce, Aad::from(&number), rest)?;
                batch.bytes += opened.len() as u64;
            }
            batch.count += 1;
        }
        Ok(Some(batch))
    }
}

/// What one receive call brought.
struct Batch {
    from: SocketAddr,
    count: u64,
    bytes: u64,
}

fn nonce(number: &[u8]) -> Result<Nonce, Failure> {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(number);
    Ok(Nonce::try_assume_unique_for_key(&nonce)?)
}

/// Body of a datagram in this workload.
fn body_bytes(workload: Workload) -> usize {
    match workload {
        Workload::Bulk => SEGMENT_BYTES - NONCE_BYTES - TAG_BYTES,
        Workload::Datagrams => DATAGRAM_BYTES,
        _ => REQUEST_BYTES,
    }
}

/// Serves until the process ends.
pub(super) fn serve(
    workload: Workload,
    meter: &Meter,
    ready: &dyn Fn(String),
) -> Result<(), Failure> {
    let mut pipe = Pipe::new()?;
    ready(pipe.socket.local_addr()?.to_string());
    let mut buffer = vec![0; 1 << 16];
    let echo = matches!(workload, Workload::Serial | Workload::Requests);
    loop {
        let Some(batch) = pipe.receive(&mut buffer)? else {
            continue;
        };
        meter.add(batch.bytes, batch.count);
        if echo {
            // One datagram back for each: nothing is put together that a request would wait for.
            for _ in 0..batch.count {
                pipe.send(batch.from, REQUEST_BYTES, 1)?;
            }
        } else {
            pipe.socket.send_to(&[1], batch.from)?;
        }
    }
}

/// Drives the workload against the server that `contact` names.
pub(super) fn drive(
    workload: Workload,
    contact: &str,
    duration: Duration,
) -> Result<Figures, Failure> {
    let to: SocketAddr = contact.parse()?;
    let mut pipe = Pipe::new()?;
    pipe.socket.set_read_timeout(Some(LOSS))?;
    let cpu_s = usage::cpu_seconds();
    let start = Instant::now();
    let figures = match workload {
        Workload::Serial => serial(&mut pipe, to, start + duration)?,
        Workload::Requests => requests(&mut pipe, to, start + duration)?,
        _ => flood(&mut pipe, to, body_bytes(workload), start + duration)?,
    };
    Ok(figures
        .with("seconds", start.elapsed().as_secs_f64())
        .with("cpu_s", usage::cpu_seconds() - cpu_s))
}

/// Sends whole batches, a few ahead of what the receiver has told.
fn flood(
    pipe: &mut Pipe,
    to: SocketAddr,
    body_bytes: usize,
    end: Instant,
) -> Result<Figures, Failure> {
    let mut under_way = 0;
    let mut told = [0; 64];
    let mut stalls = 0_u64;
    while Instant::now() < end {
        pipe.send(to, body_bytes, SEGMENTS_MAX)?;
        under_way += 1;
        while under_way >= WINDOW {
            match pipe.socket.recv(&mut told) {
                // The kernel may hand several one-byte answers over as one.
                Ok(count) => under_way = under_way.saturating_sub(count as u32),
                Err(_) => {
                    stalls += 1;
                    under_way = 0;
                }
            }
        }
    }
    Ok(Figures::default().with("stalls", stalls as f64))
}

fn serial(pipe: &mut Pipe, to: SocketAddr, end: Instant) -> Result<Figures, Failure> {
    let mut buffer = vec![0; 1 << 16];
    let mut nanos = Vec::new();
    let mut before = Instant::now();
    while before < end {
        pipe.send(to, REQUEST_BYTES, 1)?;
        let answered = pipe.receive(&mut buffer)?.is_some();
        let after = Instant::now();
        if answered {
            nanos.push((after - before).as_nanos() as u64);
        }
        before = after;
    }
    Ok(percentiles(nanos))
}

fn requests(pipe: &mut Pipe, to: SocketAddr, end: Instant) -> Result<Figures, Failure> {
    let mut buffer = vec![0; 1 << 16];
    let mut count = 0;
    for _ in 0..REQUESTS_IN_FLIGHT {
        pipe.send(to, REQUEST_BYTES, 1)?;
    }
    while Instant::now() < end {
        // After a silence all are taken for lost and sent anew.
        let batch = pipe.receive(&mut buffer)?;
        let next = batch
            .as_ref()
            .map_or(REQUESTS_IN_FLIGHT as u64, |b| b.count);
        count += batch.map_or(0, |b| b.count);
        for _ in 0..next {
            pipe.send(to, REQUEST_BYTES, 1)?;
        }
    }
    Ok(Figures::default().with("count", count as f64))
}
