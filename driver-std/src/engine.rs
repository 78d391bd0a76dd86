//! The thread that owns the engine: wait for an input until the next deadline, hand it in, drain, wait again.
//!
//! Told: datagrams from the receiving threads, what HTTP clients do, resolved names, the time. Carries out the
//! engine's effects; whatever may block runs on a thread of its own.

use std::net::IpAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use p2p_core::api::{Arrival, Command, Effect};
use p2p_core::limits;
use p2p_core::time::Instant;
use p2p_host::{Clock, InterfaceWatch, LocalAddresses, PeerKeeper, call_back, carry_out, watch};
use p2p_http_api::{Callback, CallbackEnd, Exchanges, HttpInput};

use crate::client::ThreadClient;
use crate::input::{Input, Inputs};
use crate::udp::Sockets;

/// Inputs taken before output has its turn again.
const INPUTS_PER_TURN: usize = 64;
/// Batches sent before inputs have their turn again.
const BATCHES_PER_TURN: usize = 4;
/// Longest wait with nothing to do.
const IDLE_WAIT: Duration = Duration::from_secs(60);

/// Everything the engine's thread owns.
pub(crate) struct Engine {
    pub(crate) node: Box<dyn p2p_core::api::Engine + Send>,
    pub(crate) exchanges: Exchanges<ThreadClient>,
    pub(crate) sockets: Sockets,
    pub(crate) clock: Clock,
    pub(crate) inputs: Inputs,
    pub(crate) local_addresses: LocalAddresses,
    pub(crate) peers: PeerKeeper,
}

impl Engine {
    /// Runs until [`Input::Shutdown`], or until nobody can send inputs any more.
    pub(crate) fn run(mut self, inputs: &Receiver<Input>) {
        let _watch = self.watch_interfaces();
        let mut buffer = vec![0; limits::BATCH_BYTES];
        loop {
            self.on_time();
            self.tell();
            let more = self.send(&mut buffer, BATCHES_PER_TURN);
            let wait = if more {
                Duration::ZERO
            } else {
                self.deadline().saturating_since(self.clock.now())
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
                Input::Datagrams(mut datagrams) => {
                    let arrival = Arrival {
                        link: datagrams.link,
                        from: datagrams.from,
                        to: datagrams.to,
                        ecn: datagrams.ecn,
                        segment_size: datagrams.segment_size,
                        bytes: &mut datagrams.bytes,
                    };
                    self.node.handle_arrival(now, arrival);
                }
                Input::Http(input) => self.exchanges.handle_input(now, self.node.as_mut(), input),
                Input::Command(command) => self.command(command),
                Input::Interfaces(found) => self.on_interfaces(&found),
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
            self.exchanges.handle_timeout(now, self.node.as_mut());
        }
    }

    fn deadline(&self) -> Instant {
        let node = self.node.poll_timeout().map(|d| d.at);
        let both = [node, self.exchanges.next_timeout()];
        let far = self.clock.now() + IDLE_WAIT;
        both.into_iter().flatten().min().unwrap_or(far)
    }

    /// Hands out events, responses and effects.
    fn tell(&mut self) {
        let now = self.clock.now();
        loop {
            self.exchanges.drain(now, self.node.as_mut());
            let mut quiet = true;
            while let Some(event) = self.node.poll_event() {
                self.exchanges.handle_event(now, self.node.as_mut(), event);
                quiet = false;
            }
            while let Some(effect) = self.node.poll_effect() {
                self.carry_out(effect);
            }
            while let Some(callback) = self.exchanges.poll_callback() {
                self.call_back(callback);
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
            if !self.sockets.send(&transmit, bytes) {
                let now = self.clock.now();
                self.node.handle_send_error(now, transmit.to, transmit.from);
            }
        }
        true
    }

    fn watch_interfaces(&self) -> Option<InterfaceWatch> {
        let inputs = self.inputs.clone();
        let started = watch(move |found| {
            // The node may have ended meanwhile.
            let _ = inputs.send(Input::Interfaces(found));
        });
        if let Err(error) = &started {
            log::warn!("changes of this machine's addresses go unnoticed: {error}");
        }
        started.ok()
    }

    fn on_interfaces(&mut self, interfaces: &[IpAddr]) {
        for news in self.local_addresses.update(interfaces) {
            self.command(news);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        let inputs = self.inputs.clone();
        carry_out(effect, Some(&self.peers), move |answer| {
            // The node may have ended meanwhile.
            let _ = inputs.send(Input::Command(answer));
        });
    }

    /// Asks an application on a thread of its own.
    fn call_back(&mut self, callback: Callback) {
        let (id, inputs) = (callback.id, self.inputs.clone());
        let ask = move || {
            let end = HttpInput::CalledBack(id, call_back(&callback));
            // The node may have ended meanwhile.
            let _ = inputs.send(Input::Http(end));
        };
        let thread = thread::Builder::new().name("p2p-callback".to_owned());
        if let Err(error) = thread.spawn(ask) {
            log::warn!("cannot start a thread: {error}");
            let end = HttpInput::CalledBack(id, CallbackEnd::Unreachable);
            let now = self.clock.now();
            self.exchanges.handle_input(now, self.node.as_mut(), end);
        }
    }

    fn say_goodbye(&mut self, buffer: &mut [u8]) {
        self.command(Command::Shutdown);
        self.tell();
        while self.send(buffer, 1) {}
    }
}

#[cfg(test)]
mod tests;
