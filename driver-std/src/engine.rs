//! The thread that owns the engine: wait for an input until the next deadline, hand it in, drain, wait again.
//!
//! Told: datagrams from the receiving threads, what HTTP clients do, resolved names, the time. Carries out the
//! engine's effects; whatever may block runs on a thread of its own.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant as MachineInstant};

use p2p_core::Node;
use p2p_core::api::{Command, Effect};
use p2p_core::limits;
use p2p_core::time::Instant;
use p2p_http_api::{Exchanges, HttpInput};
use p2p_storage::{PeerBook, PeerRecord};

use crate::http::ThreadClient;
use crate::interfaces;
use crate::udp::Sockets;

/// Inputs taken before output has its turn again.
const INPUTS_PER_TURN: usize = 64;
/// Batches sent before inputs have their turn again.
const BATCHES_PER_TURN: usize = 4;
/// Pause between looks at this machine's interfaces.
const INTERFACE_PERIOD: Duration = Duration::from_secs(5);
/// Inputs that may wait for the engine.
pub(crate) const QUEUE: usize = 1_024;

/// What comes in from other threads.
pub(crate) enum Input {
    Datagram(SocketAddr, Vec<u8>),
    Http(HttpInput<ThreadClient>),
    Command(Command),
    Shutdown,
}

/// The way in.
pub(crate) type Inputs = SyncSender<Input>;

/// Counts the engine's time from when it was made.
#[derive(Clone, Copy)]
pub(crate) struct Clock(MachineInstant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(MachineInstant::now())
    }

    pub(crate) fn now(self) -> Instant {
        Instant::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

/// Everything the engine's thread owns.
pub(crate) struct Engine {
    pub(crate) node: Node,
    pub(crate) exchanges: Exchanges<ThreadClient>,
    pub(crate) sockets: Sockets,
    pub(crate) clock: Clock,
    pub(crate) inputs: Inputs,
    pub(crate) local_addresses: Vec<SocketAddr>,
    pub(crate) peers: Writer,
}

impl Engine {
    /// Runs until [`Input::Shutdown`], or until nobody can send inputs any more.
    pub(crate) fn run(mut self, inputs: &Receiver<Input>) {
        let mut look_at_interfaces = self.clock.now() + INTERFACE_PERIOD;
        let mut buffer = vec![0; limits::BATCH_BYTES];
        loop {
            self.on_time();
            let now = self.clock.now();
            if look_at_interfaces <= now {
                look_at_interfaces = now + INTERFACE_PERIOD;
                self.look_at_interfaces();
            }
            self.tell();
            let more = self.send(&mut buffer, BATCHES_PER_TURN);
            let deadline = self.deadline().min(look_at_interfaces);
            let wait = if more {
                Duration::ZERO
            } else {
                deadline.saturating_since(self.clock.now())
            };
            match inputs.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Ok(first) => {
                    if !self.handle_inputs(first, inputs) {
                        break;
                    }
                }
            }
        }
        self.say_goodbye(&mut buffer);
    }

    /// Hands in what is there; false where the node is to end.
    fn handle_inputs(&mut self, first: Input, inputs: &Receiver<Input>) -> bool {
        let rest = inputs.try_iter().take(INPUTS_PER_TURN);
        for input in std::iter::once(first).chain(rest) {
            let now = self.clock.now();
            match input {
                Input::Datagram(from, mut bytes) => {
                    self.node.handle_datagram(now, from, &mut bytes);
                }
                Input::Http(input) => self.exchanges.handle_input(now, &mut self.node, input),
                Input::Command(command) => self.command(command),
                Input::Shutdown => return false,
            }
        }
        true
    }

    fn command(&mut self, command: Command) {
        if let Err(error) = self.node.handle_command(self.clock.now(), command) {
            log::debug!("the engine refused an order: {error}");
        }
    }

    fn on_time(&mut self) {
        let now = self.clock.now();
        if self.node.poll_timeout().is_some_and(|d| d.at <= now) {
            self.node.handle_timeout(now);
        }
        if self.exchanges.next_timeout().is_some_and(|at| at <= now) {
            self.exchanges.handle_timeout(now, &mut self.node);
        }
        self.peers.write();
    }

    fn deadline(&self) -> Instant {
        let node = self.node.poll_timeout().map(|d| d.at);
        let both = [node, self.exchanges.next_timeout()];
        let far = self.clock.now() + INTERFACE_PERIOD;
        both.into_iter().flatten().min().unwrap_or(far)
    }

    /// Hands out events, responses and effects.
    fn tell(&mut self) {
        let now = self.clock.now();
        loop {
            self.exchanges.drain(now, &mut self.node);
            let mut quiet = true;
            while let Some(event) = self.node.poll_event() {
                self.exchanges.handle_event(now, &mut self.node, event);
                quiet = false;
            }
            while let Some(effect) = self.node.poll_effect() {
                self.carry_out(effect);
            }
            if quiet {
                return;
            }
        }
    }

    /// Sends up to so many batches; says whether there may be more.
    fn send(&mut self, buffer: &mut [u8], batches: usize) -> bool {
        for _ in 0..batches {
            let Some(transmit) = self.node.poll_transmit(self.clock.now(), buffer) else {
                return false;
            };
            let bytes = buffer.get(..transmit.len).unwrap_or_default();
            self.sockets.send(transmit.to, bytes, transmit.segment_size);
        }
        true
    }

    fn look_at_interfaces(&mut self) {
        let found = interfaces::reachable(&self.sockets.bound(), &interfaces::list());
        if found != self.local_addresses {
            log::info!("this machine's addresses are now {found:?}");
            self.local_addresses.clone_from(&found);
            self.command(Command::SetLocalAddresses(found));
            self.command(Command::NetworkChanged);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Resolve { id, host, port } => {
                let inputs = self.inputs.clone();
                let look_up = move || {
                    let addresses = resolve(&host, port);
                    let resolved = Command::IntroducerResolved { id, addresses };
                    // The node may have ended meanwhile.
                    let _ = inputs.send(Input::Command(resolved));
                };
                spawn("p2p-resolve", look_up);
            }
            Effect::PersistRecord {
                id,
                record,
                name,
                address,
            } => self.peers.insert(PeerRecord {
                id,
                record,
                name,
                address,
            }),
            other => log::warn!("the engine asks for something unknown: {other:?}"),
        }
    }

    fn say_goodbye(&mut self, buffer: &mut [u8]) {
        self.command(Command::Shutdown);
        self.tell();
        while self.send(buffer, 1) {}
        self.peers.finish();
    }
}

/// Known peers, and the thread that writes them down; one at a time.
pub(crate) struct Writer {
    book: PeerBook,
    changed: bool,
    writing: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn new(book: PeerBook) -> Self {
        Self {
            book,
            changed: false,
            writing: None,
        }
    }

    fn insert(&mut self, peer: PeerRecord) {
        self.changed |= self.book.insert(peer);
    }

    fn write(&mut self) {
        let busy = self.writing.as_ref().is_some_and(|w| !w.is_finished());
        if self.changed && !busy {
            let snapshot = self.book.snapshot();
            self.changed = false;
            self.writing = spawn("p2p-peers", move || snapshot.write());
        }
    }

    fn finish(&mut self) {
        if let Some(writing) = self.writing.take()
            && writing.join().is_err()
        {
            log::warn!("writing known peers failed");
        }
        if self.changed {
            self.book.snapshot().write();
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    match thread::Builder::new().name(name.to_owned()).spawn(work) {
        Ok(thread) => Some(thread),
        Err(error) => {
            log::warn!("cannot start a thread: {error}");
            None
        }
    }
}

/// Asks the system's resolver; may block for seconds.
fn resolve(host: &str, port: u16) -> Vec<SocketAddr> {
    match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => {
            log::warn!("cannot find the address of {host}: {error}");
            Vec::new()
        }
    }
}
