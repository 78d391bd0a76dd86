//! Many idle peers at one introducer: what each of them costs a process that holds nothing but the engine.
//!
//! The introducer runs in a process of its own, so that its resident memory is that of its peers. The other process
//! holds as many real nodes, which register one after the other in virtual time, over a pipe instead of a network, and
//! stay: they say and answer every sign of life. The memory is read when the last of them has been idle for longer
//! than a round of keep-alives takes.

use std::collections::BTreeSet;
use std::io::{BufReader, BufWriter, Read, Write, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant as MachineInstant;

use p2p_core::Node;
use p2p_core::api::{Engine as _, IntroducerAddress, NodeConfig, Roles};
use p2p_core::limits;
use p2p_core::time::{Duration, Instant};

use crate::process::Failure;
use crate::sample::Figures;
use crate::usage;

/// The word that makes this program the introducer.
pub(crate) const SERVE: &str = "serve-crowd";
/// Crowds that are measured unless the command line names another.
pub(crate) const SIZES: [u64; 2] = [100_000, 1_000_000];

/// Virtual time between two exchanges: the time that datagrams take.
const STEP: Duration = Duration::from_millis(1);
/// Virtual time in which all of them come, evenly: a million are four thousand a second, more than one introducer
/// takes in over real sockets.
const COMING: Duration = Duration::from_secs(250);
/// Virtual time from the last registration to the reading: it takes seconds until a peer rests, and then each has
/// been asked whether it is still there.
const SETTLING: Duration = Duration::from_secs(40);

/// Steps that both processes may be apart: both work at once.
const STEPS_UNDER_WAY: u64 = 2;
/// The crowd's first address; each node has one of its own.
const FIRST_ADDRESS: u32 = 0x0a00_0000;

const EXCHANGE: u8 = 0;
const REPORT: u8 = 1;

struct Datagram {
    address: SocketAddr,
    bytes: Vec<u8>,
}

fn introducer_address() -> SocketAddr {
    (Ipv4Addr::new(192, 0, 2, 1), 6_600).into()
}

fn write_all(to: &mut impl Write, datagrams: &[Datagram]) -> Result<(), Failure> {
    to.write_all(&u32::try_from(datagrams.len())?.to_be_bytes())?;
    for Datagram { address, bytes } in datagrams {
        let SocketAddr::V4(address) = address else {
            return Err(Failure("the crowd has IPv4 addresses".to_owned()));
        };
        to.write_all(&address.ip().octets())?;
        to.write_all(&address.port().to_be_bytes())?;
        to.write_all(&u16::try_from(bytes.len())?.to_be_bytes())?;
        to.write_all(bytes)?;
    }
    to.flush()?;
    Ok(())
}

fn read_array<const N: usize>(from: &mut impl Read) -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_all(from: &mut impl Read) -> Result<Vec<Datagram>, Failure> {
    let count = u32::from_be_bytes(read_array(from)?);
    let mut datagrams = Vec::new();
    for _ in 0..count {
        let ip = Ipv4Addr::from(read_array::<4>(from)?);
        let port = u16::from_be_bytes(read_array(from)?);
        let mut bytes = vec![0; usize::from(u16::from_be_bytes(read_array(from)?))];
        from.read_exact(&mut bytes)?;
        let address = SocketAddrV4::new(ip, port).into();
        datagrams.push(Datagram { address, bytes });
    }
    Ok(datagrams)
}

fn drain(node: &mut Node, now: Instant, buffer: &mut [u8], out: &mut Vec<Datagram>) {
    while let Some(transmit) = node.poll_transmit(now, buffer) {
        let sent = buffer.get(..transmit.len).unwrap_or_default();
        out.extend(sent.chunks(transmit.segment_size).map(|bytes| Datagram {
            address: transmit.to,
            bytes: bytes.to_vec(),
        }));
    }
    while node.poll_event().is_some() {}
    while node.poll_effect().is_some() {}
}

/// The introducer: its input is this process's, its output too.
///
/// # Errors
/// Where the other process is gone or the configuration makes no node.
pub(crate) fn serve() -> Result<(), Failure> {
    let (mut input, mut output) = (BufReader::new(stdin()), BufWriter::new(stdout()));
    let mut config = NodeConfig::new([1; 32], [2; 32], [3; 32]);
    config.roles = Roles::ALL;
    let start = Instant::from_millis(1_000);
    let mut node = Node::new(config, start).map_err(|error| Failure(format!("{error:?}")))?;
    let mut buffer = vec![0; limits::BATCH_BYTES];
    output.write_all(node.id().as_bytes())?;
    output.flush()?;
    let before_kib = usage::resident_kib();
    loop {
        match read_array::<1>(&mut input) {
            Ok([EXCHANGE]) => {}
            Ok(_) => {
                let entries = node.status(start).directory_entries as f64;
                let grown = [usage::resident_kib(), usage::peak_kib()].map(|kib| kib - before_kib);
                let [resident, peak] = grown;
                output.write_all(&[REPORT])?;
                for figure in [entries, resident, peak, usage::cpu_seconds()] {
                    output.write_all(&figure.to_be_bytes())?;
                }
                output.flush()?;
                return Ok(());
            }
            Err(_) => return Ok(()),
        }
        let now = Instant::from_nanos(u64::from_be_bytes(read_array(&mut input)?));
        for mut datagram in read_all(&mut input)? {
            node.handle_datagram(now, datagram.address, &mut datagram.bytes);
        }
        if node.poll_timeout().is_some_and(|due| due.at <= now) {
            node.handle_timeout(now);
        }
        let mut out = Vec::new();
        drain(&mut node, now, &mut buffer, &mut out);
        output.write_all(&[EXCHANGE])?;
        write_all(&mut output, &out)?;
    }
}

/// Reads what the introducer says until it reports, or is gone.
fn read_steps(
    mut output: BufReader<ChildStdout>,
    to: &Sender<Vec<Datagram>>,
) -> Option<BufReader<ChildStdout>> {
    while read_array::<1>(&mut output).ok()? == [EXCHANGE] {
        to.send(read_all(&mut output).ok()?).ok()?;
    }
    Some(output)
}

/// The crowd's side.
struct Crowd {
    child: Child,
    input: BufWriter<ChildStdin>,
    /// The introducer's datagrams, step by step: read beside, so that both processes work at once.
    arrivals: Receiver<Vec<Datagram>>,
    reader: JoinHandle<Option<BufReader<ChildStdout>>>,
    introducer: IntroducerAddress,
    now: Instant,
    steps: u64,
    nodes: Vec<Node>,
    due: BTreeSet<(Instant, usize)>,
    buffer: Vec<u8>,
}

impl Crowd {
    fn start() -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(SERVE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let missing = || Failure("the introducer has no pipe".to_owned());
        let input = BufWriter::new(child.stdin.take().ok_or_else(missing)?);
        let mut output = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let id = p2p_core::id::NodeId::from_bytes(read_array(&mut output)?);
        let address = format!("p2p://{id}@{}", introducer_address());
        let (sender, arrivals) = channel();
        Ok(Self {
            child,
            input,
            arrivals,
            reader: thread::spawn(move || read_steps(output, &sender)),
            introducer: address.parse()?,
            now: Instant::from_millis(1_000),
            steps: 0,
            nodes: Vec::new(),
            due: BTreeSet::new(),
            buffer: vec![0; limits::BATCH_BYTES],
        })
    }

    fn address_of(number: usize) -> Result<SocketAddr, Failure> {
        let ip = Ipv4Addr::from(FIRST_ADDRESS + u32::try_from(number)?);
        Ok(SocketAddr::from((ip, 6_600)))
    }

    fn at(&mut self, address: SocketAddr) -> Option<(usize, &mut Node)> {
        let SocketAddr::V4(address) = address else {
            return None;
        };
        let number = address.ip().to_bits().checked_sub(FIRST_ADDRESS)? as usize;
        Some((number, self.nodes.get_mut(number)?))
    }

    fn add(&mut self) -> Result<(), Failure> {
        let number = self.nodes.len();
        let seed = |kind: u8| {
            let mut seed = [kind; 32];
            seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
            seed
        };
        let mut config = NodeConfig::new(seed(11), seed(12), seed(13));
        config.name = Some(format!("node-{number}"));
        config.introducers = vec![self.introducer.clone()];
        let node = Node::new(config, self.now).map_err(|error| Failure(format!("{error:?}")))?;
        self.nodes.push(node);
        self.due.insert((self.now, number));
        Ok(())
    }

    /// Everything that is due or came in; what leaves goes to the introducer.
    fn step(&mut self) -> Result<(), Failure> {
        let now = self.now;
        let arrived = if self.steps < STEPS_UNDER_WAY {
            Vec::new()
        } else {
            self.arrivals.recv()?
        };
        self.steps += 1;
        let mut touched = BTreeSet::new();
        for mut datagram in arrived {
            if let Some((number, node)) = self.at(datagram.address) {
                node.handle_datagram(now, introducer_address(), &mut datagram.bytes);
                touched.insert(number);
            }
        }
        while let Some((at, number)) = self.due.first().copied()
            && at <= now
        {
            self.due.remove(&(at, number));
            if let Some(node) = self.nodes.get_mut(number)
                && node.poll_timeout().is_some_and(|due| due.at <= now)
            {
                node.handle_timeout(now);
                touched.insert(number);
            }
        }
        let mut out = Vec::new();
        for number in touched {
            let Some(node) = self.nodes.get_mut(number) else {
                continue;
            };
            let from = out.len();
            drain(node, now, &mut self.buffer, &mut out);
            for datagram in out.iter_mut().skip(from) {
                datagram.address = Self::address_of(number)?;
            }
            if let Some(due) = node.poll_timeout() {
                self.due.insert((due.at.max(now + STEP), number));
            }
        }
        self.input.write_all(&[EXCHANGE])?;
        self.input.write_all(&now.as_nanos().to_be_bytes())?;
        write_all(&mut self.input, &out)?;
        self.now = now + STEP;
        Ok(())
    }

    /// What the introducer says at the end: registrations, KiB that its process grew by and that it grew by at most,
    /// CPU seconds.
    fn report(mut self) -> Result<[f64; 4], Failure> {
        self.input.write_all(&[REPORT])?;
        self.input.flush()?;
        let output = self.reader.join().ok().flatten();
        let mut output = output.ok_or_else(|| Failure("the introducer is gone".to_owned()))?;
        let mut figures = [0.0; 4];
        for figure in &mut figures {
            *figure = f64::from_be_bytes(read_array(&mut output)?);
        }
        self.child.wait()?;
        Ok(figures)
    }
}

/// Lets so many nodes register, waits until they are idle and prints what each costs the introducer.
///
/// # Errors
/// Where the introducer's process fails, or a node is not registered at its end.
pub(crate) fn run(peers: u64) -> Result<(), Failure> {
    let start = MachineInstant::now();
    let mut crowd = Crowd::start()?;
    let steps = u64::try_from(COMING.as_nanos() / STEP.as_nanos())?;
    for step in 1..=steps {
        while (crowd.nodes.len() as u64) < peers * step / steps {
            crowd.add()?;
        }
        crowd.step()?;
    }
    let settled = crowd.now + SETTLING;
    while crowd.now < settled {
        crowd.step()?;
    }
    let crowd_kib = usage::resident_kib();
    let [registered, kib, peak_kib, cpu_s] = crowd.report()?;
    if registered as u64 != peers {
        return Err(Failure(format!("{registered} of {peers} registered")));
    }
    let figures = Figures::default()
        .with("peers", peers as f64)
        .with("bytes_each", kib * 1_024.0 / peers as f64)
        .with("resident_mib", kib / 1_024.0)
        .with("peak_mib", peak_kib / 1_024.0)
        .with("introducer_cpu_s", cpu_s)
        .with("crowd_mib", crowd_kib / 1_024.0)
        .with("seconds", start.elapsed().as_secs_f64());
    println!("{}", figures.to_line());
    Ok(())
}
