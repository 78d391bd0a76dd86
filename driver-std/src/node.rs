//! A whole node: state directory, engine, sockets and HTTP surface, on threads of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use p2p_host::{
    FileKeeper, NodeError, NodeOptions, Place, Ready, RecordKeeper, TcpKeeper, page_url,
    ticket_request,
};
use p2p_http_api::{Exchanges, GivenBody, HttpInput, Request, ResponsePart};
use p2p_storage::StateDirectory;

use crate::client::{ThreadClient, Word};
use crate::engine::Engine;
use crate::http::{HttpServer, Numbers, Stop};
use crate::input::{self, Input, Inputs};
use crate::udp::{SOCKET_BUFFER_BYTES, Sockets};

/// Longest wait for the first ticket.
const TICKET_TIME: Duration = Duration::from_secs(5);

/// A node that runs; it ends when told, or when this is dropped.
pub struct Running {
    /// Who and where it is.
    pub facts: Ready,
    inputs: Inputs,
    engine: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    _serving: Stop,
    _state: StateDirectory,
}

impl Running {
    /// Says goodbye to all peers and waits for the end.
    pub fn shutdown(mut self) {
        self.end();
    }

    /// A way to end the node from another thread, for instance on a signal.
    pub fn stopper(&self) -> impl Fn() + Send + 'static {
        let inputs = self.inputs.clone();
        move || {
            // A node that has ended needs no word.
            let _ = inputs.send(Input::Shutdown);
        }
    }

    /// Waits until something else ends the node.
    pub fn wait(mut self) {
        self.join();
    }

    fn end(&mut self) {
        let _ = self.inputs.send(Input::Shutdown);
        self.join();
    }

    fn join(&mut self) {
        if let Some(engine) = self.engine.take()
            && engine.join().is_err()
        {
            log::error!("the engine's thread panicked");
        }
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts a node.
///
/// # Errors
/// Where it cannot start: state directory, address, or configuration.
pub fn start(options: &NodeOptions) -> Result<Running, NodeError> {
    let place = Place::open(options, "threads", SOCKET_BUFFER_BYTES)?;
    let server = HttpServer::new(place.http)?;
    let (inputs, receiver) = input::channel();
    let node = p2p_host::engine(place.config, place.clock.now(), options.record.as_deref())?;
    let mut exchanges = Exchanges::new(place.surface);
    let told = inputs.clone();
    let keeper = RecordKeeper::start(place.records, move |order, is_kept| {
        // The node may have ended meanwhile.
        let _ = told.send(Input::Http(HttpInput::Kept(order, is_kept)));
    })?;
    exchanges.set_keeper(Box::new(keeper));
    let told = inputs.clone();
    let sockets = TcpKeeper::start(move |news| {
        // The node may have ended meanwhile.
        let _ = told.send(Input::Http(HttpInput::Socket(news)));
    })?;
    exchanges.set_sockets(Box::new(sockets));
    let told = inputs.clone();
    let files = FileKeeper::new(place.volume, move |news| {
        // The node may have ended meanwhile.
        let _ = told.send(Input::Http(HttpInput::Files(news)));
    });
    exchanges.set_files(Box::new(files));
    let engine = Engine {
        node,
        exchanges,
        sockets: Sockets::new(place.udp)?,
        clock: place.clock,
        inputs: inputs.clone(),
        local_addresses: place.local_addresses,
        peers: place.peers,
    };
    let stop = Arc::new(AtomicBool::new(false));
    engine.sockets.receive(&inputs, &stop)?;
    let engine = thread::Builder::new()
        .name("p2p-engine".to_owned())
        .spawn(move || engine.run(&receiver))?;
    let numbers = Numbers::default();
    let mut facts = place.facts;
    let answer = ask(&inputs, &numbers, ticket_request(&facts.http, &place.token));
    facts.page_url = page_url(&facts.http, answer.as_ref());
    Ok(Running {
        facts,
        engine: Some(engine),
        stop,
        _serving: server.start(&inputs, &numbers)?,
        _state: place.state,
        inputs,
    })
}

/// Asks the surface without a connection; gives the head of the answer.
fn ask(inputs: &Inputs, numbers: &Numbers, request: Request) -> Option<ResponsePart> {
    let (sender, words) = mpsc::channel();
    let asked = HttpInput::Request {
        id: numbers.next(),
        request,
        client: ThreadClient::new(sender),
        body: GivenBody::None,
    };
    inputs.send(Input::Http(asked)).ok()?;
    match words.recv_timeout(TICKET_TIME) {
        Ok(Word::Part(part)) => Some(part),
        _ => None,
    }
}
