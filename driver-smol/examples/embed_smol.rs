//! The production driver with an application of its own instead of HTTP: ada sends ben a message, ben says what it is.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use futures_lite::future;
use p2p_core::api::{ConnectTarget, Engine, EngineExt, Event, NodeConfig};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use p2p_driver_smol::{Application, Clock, EngineLoop, Sockets};

/// Sends one message to each peer that it is told of, and says what comes in.
#[derive(Default)]
struct Greeter {
    done: bool,
}

impl Application for Greeter {
    type Input = (NodeId, SocketAddr);

    fn handle_input(&mut self, now: Instant, node: &mut dyn Engine, (id, address): Self::Input) {
        let target = ConnectTarget::Address { id, address };
        if let Err(error) = node.connect(now, target, None, Duration::from_secs(5)) {
            eprintln!("cannot connect: {error}");
        }
    }

    fn handle_event(&mut self, now: Instant, node: &mut dyn Engine, event: Event) {
        match event {
            Event::Connected {
                operation: Some(_),
                peer,
                ..
            } => {
                if let Err(error) = node.send_message(now, peer, 0, "hello".into(), None) {
                    eprintln!("cannot send: {error}");
                }
            }
            Event::MessageReady { peer, message, .. } => {
                match node.take_message(now, peer, message) {
                    Ok(text) => println!("ben hears: {}", String::from_utf8_lossy(&text)),
                    Err(error) => eprintln!("cannot take it: {error}"),
                }
            }
            Event::MessageDelivered { .. } => {
                println!("ada knows that it was delivered");
                self.done = true;
            }
            _ => {}
        }
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

fn start(seed: u8) -> Result<(EngineLoop<Greeter>, SocketAddr), Box<dyn Error>> {
    let sockets = Sockets::bind(Some(SocketAddr::from(([127, 0, 0, 1], 0))))?;
    let address = *sockets.bound().first().ok_or("no socket")?;
    // Outside of an example the seeds come from the operating system, and the first two are kept.
    let config = NodeConfig::new([seed; 32], [seed + 1; 32], [seed + 2; 32]);
    let engine = EngineLoop::new(config, Clock::start(), sockets, Greeter::default())?;
    Ok((engine, address))
}

fn main() -> Result<(), Box<dyn Error>> {
    let (ada, _) = start(1)?;
    let (ben, address) = start(4)?;
    ada.handle().send((ben.id(), address));
    // The loops run side by side until ada is done; a program would give each a task.
    smol::block_on(future::or(ada.run(), ben.run()));
    Ok(())
}
