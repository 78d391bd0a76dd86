//! The loop that owns the engine: wait for socket, input or timer; hand one batch in; drain; arm the timer.
//!
//! Told: datagrams from [`Sockets`], inputs from [`Handle`]s, the time. It carries out the engine's effects (names are
//! looked up and files written on other threads) and ends after [`Handle::shutdown`] once goodbyes are sent.

use std::net::IpAddr;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use async_io::Timer;
use futures_lite::future;
use p2p_core::Node;
use p2p_core::api::{Command, Effect, Engine, NodeConfig};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use p2p_host::{Clock, InterfaceWatch, LocalAddresses, NodeError, PeerKeeper, carry_out, watch};

use crate::application::Application;
use crate::udp::{Received, Sockets};

/// Batches sent before receiving again, so that what peers answer is not dropped meanwhile.
const BATCHES_PER_TURN: usize = 16;
/// Receive calls before sending again.
const RECEIVES_PER_TURN: usize = 4;
/// Inputs taken before the sockets have their turn again.
const INPUTS_PER_TURN: usize = 256;
/// Longest wait with nothing to do.
const IDLE_WAIT: Duration = Duration::from_secs(60);
/// Longest wait while a socket is full, so that timers behind waiting output are served.
const BLOCKED_WAIT: Duration = Duration::from_millis(5);
/// Pause after the system failed to receive.
const FAILURE_PAUSE: Duration = Duration::from_millis(20);
/// Longest time for goodbyes.
const GOODBYE: Duration = Duration::from_millis(500);

enum LoopInput<I> {
    Application(I),
    Command(Command),
    Interfaces(Vec<IpAddr>),
    Shutdown,
}

/// The way into a running loop from other tasks and threads.
pub struct Handle<I> {
    // Unbounded: each user bounds what it has under way (HTTP: one piece of body per connection).
    inputs: Sender<LoopInput<I>>,
}

impl<I> Clone for Handle<I> {
    fn clone(&self) -> Self {
        Self {
            inputs: self.inputs.clone(),
        }
    }
}

impl<I> Handle<I> {
    /// Sends something to the application; lost where the loop has ended.
    pub fn send(&self, input: I) {
        self.put(LoopInput::Application(input));
    }

    /// Gives the engine an order whose answer does not matter.
    pub fn command(&self, command: Command) {
        self.put(LoopInput::Command(command));
    }

    /// Says goodbye to all peers and ends the loop.
    pub fn shutdown(&self) {
        self.put(LoopInput::Shutdown);
    }

    fn put(&self, input: LoopInput<I>) {
        if self.inputs.try_send(input).is_err() {
            log::debug!("an input came after the loop had ended");
        }
    }
}

/// An engine, its sockets, and the application beside it.
pub struct EngineLoop<A: Application> {
    node: Box<dyn Engine + Send>,
    application: A,
    sockets: Sockets,
    clock: Clock,
    inputs: Receiver<LoopInput<A::Input>>,
    handle: Handle<A::Input>,
    local_addresses: LocalAddresses,
    peers: Option<PeerKeeper>,
    goodbye_until: Option<Instant>,
}

impl<A: Application> EngineLoop<A> {
    /// Makes the engine. Links and local addresses in `config` are replaced by those of this machine.
    ///
    /// # Errors
    /// Where the engine refuses the configuration.
    pub fn new(
        config: NodeConfig,
        clock: Clock,
        sockets: Sockets,
        application: A,
    ) -> Result<Self, NodeError> {
        let plain = |config, now| -> Result<Box<dyn Engine + Send>, NodeError> {
            Ok(Box::new(Node::new(config, now)?))
        };
        Self::with_engine(config, clock, sockets, application, plain)
    }

    /// The same around another engine, for instance a recorder.
    ///
    /// # Errors
    /// Where `make` refuses the configuration.
    pub fn with_engine(
        mut config: NodeConfig,
        clock: Clock,
        sockets: Sockets,
        application: A,
        make: impl FnOnce(NodeConfig, Instant) -> Result<Box<dyn Engine + Send>, NodeError>,
    ) -> Result<Self, NodeError> {
        let local_addresses = LocalAddresses::of(sockets.bound());
        config.local_addresses = local_addresses.host_addresses();
        config.links = local_addresses.links();
        let now = clock.now();
        let node = make(config, now)?;
        let (sender, inputs) = async_channel::unbounded();
        Ok(Self {
            node,
            application,
            sockets,
            clock,
            inputs,
            handle: Handle { inputs: sender },
            local_addresses,
            peers: None,
            goodbye_until: None,
        })
    }

    /// Keeps verified peers.
    #[must_use]
    pub fn with_peers(mut self, peers: PeerKeeper) -> Self {
        self.peers = Some(peers);
        self
    }

    /// What runs beside the engine, before the loop runs.
    pub fn application_mut(&mut self) -> &mut A {
        &mut self.application
    }

    /// A way into the loop.
    #[must_use]
    pub fn handle(&self) -> Handle<A::Input> {
        self.handle.clone()
    }

    /// This node's identity.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.node.id()
    }

    /// Runs until [`Handle::shutdown`], or until the application is done; gives the application back.
    pub async fn run(mut self) -> A {
        let _watch = self.watch_interfaces();
        while !self.is_over() {
            let mut busy = self.take_inputs();
            let received = self.receive();
            busy |= received == Received::Some;
            self.on_time();
            busy |= self.drain();
            if received == Received::Failed {
                Timer::after(FAILURE_PAUSE).await;
            } else if busy {
                future::yield_now().await;
            } else {
                self.wait().await;
            }
        }
        self.application
    }

    fn watch_interfaces(&self) -> Option<InterfaceWatch> {
        let handle = self.handle.clone();
        let started = watch(move |found| handle.put(LoopInput::Interfaces(found)));
        if let Err(error) = &started {
            log::warn!("changes of this machine's addresses go unnoticed: {error}");
        }
        started.ok()
    }

    fn is_over(&self) -> bool {
        self.application.is_done() || self.goodbye_until.is_some_and(|at| at <= self.clock.now())
    }

    fn take_inputs(&mut self) -> bool {
        let mut taken = 0;
        while taken < INPUTS_PER_TURN {
            let Ok(input) = self.inputs.try_recv() else {
                break;
            };
            self.handle_input(input);
            taken += 1;
        }
        taken > 0
    }

    fn handle_input(&mut self, input: LoopInput<A::Input>) {
        let now = self.clock.now();
        match input {
            LoopInput::Application(input) => {
                self.application
                    .handle_input(now, self.node.as_mut(), input);
            }
            LoopInput::Command(command) => self.command(command),
            LoopInput::Interfaces(interfaces) => {
                for news in self.local_addresses.update(&interfaces) {
                    self.command(news);
                }
            }
            LoopInput::Shutdown => {
                self.command(Command::Shutdown);
                self.goodbye_until = Some(now + GOODBYE);
            }
        }
    }

    fn command(&mut self, command: Command) {
        if let Err(error) = self.node.handle_command(self.clock.now(), command) {
            log::debug!("the engine refused an order: {error}");
        }
    }

    fn receive(&mut self) -> Received {
        let mut outcome = Received::Nothing;
        for _ in 0..RECEIVES_PER_TURN {
            let (now, node) = (self.clock.now(), self.node.as_mut());
            let received = self
                .sockets
                .receive(|arrival| node.handle_arrival(now, arrival));
            match received {
                Received::Full => outcome = Received::Some,
                Received::Some => return received,
                Received::Nothing => break,
                Received::Failed => return received,
            }
        }
        outcome
    }

    fn on_time(&mut self) {
        let now = self.clock.now();
        if self.node.poll_timeout().is_some_and(|d| d.at <= now) {
            self.node.handle_timeout(now);
        }
        if self.application.next_timeout().is_some_and(|at| at <= now) {
            self.application.handle_timeout(now, self.node.as_mut());
        }
    }

    /// Hands out everything that the engine has to say; says whether datagrams left.
    fn drain(&mut self) -> bool {
        let now = self.clock.now();
        loop {
            self.application.drained(now, self.node.as_mut());
            let mut quiet = true;
            while let Some(event) = self.node.poll_event() {
                self.application
                    .handle_event(now, self.node.as_mut(), event);
                quiet = false;
            }
            while let Some(effect) = self.node.poll_effect() {
                self.carry_out(effect);
            }
            while let Some(work) = self.application.poll_work() {
                let handle = self.handle.clone();
                smol::unblock(move || handle.send(work())).detach();
            }
            if quiet {
                break;
            }
        }
        let sent = self.send();
        if self.goodbye_until.is_some() && !sent && !self.sockets.is_blocked() {
            self.goodbye_until = Some(Instant::EPOCH);
        }
        sent
    }

    fn send(&mut self) -> bool {
        self.sockets.send_kept();
        for batch in 0..BATCHES_PER_TURN {
            if self.sockets.is_blocked() {
                return false;
            }
            let now = self.clock.now();
            let Some(transmit) = self.node.poll_transmit(now, self.sockets.send_buffer()) else {
                return batch > 0;
            };
            self.sockets.send(transmit);
            if let Some(refused) = self.sockets.take_refused() {
                self.node.handle_send_error(now, refused.to, refused.from);
            }
        }
        true
    }

    async fn wait(&mut self) {
        let deadline = self.deadline();
        if deadline <= self.clock.now() {
            future::yield_now().await;
            return;
        }
        let at = self.clock.machine_time(deadline);
        let timer = async {
            Timer::at(at).await;
            None
        };
        let socket = async {
            self.sockets.ready().await;
            None
        };
        let input = async { self.inputs.recv().await.ok() };
        if let Some(input) = future::or(input, future::or(socket, timer)).await {
            self.handle_input(input);
        }
    }

    fn deadline(&self) -> Instant {
        let now = self.clock.now();
        let mut deadline = now + IDLE_WAIT;
        for at in [self.application.next_timeout(), self.goodbye_until]
            .into_iter()
            .flatten()
        {
            deadline = deadline.min(at);
        }
        if let Some(next) = self.node.poll_timeout() {
            // Output that waits for a full socket is due at once, and cannot be had.
            let blocked = self.sockets.is_blocked() && next.at <= now;
            deadline = deadline.min(if blocked { now + BLOCKED_WAIT } else { next.at });
        }
        deadline
    }

    fn carry_out(&mut self, effect: Effect) {
        let handle = self.handle.clone();
        carry_out(effect, self.peers.as_ref(), move |answer| {
            handle.command(answer);
        });
    }
}
