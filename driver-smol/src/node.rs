//! A whole node: state directory, engine, sockets and HTTP surface, from start to goodbye.

use std::future::Future;
use std::sync::Arc;

use futures_lite::future;
use p2p_host::{
    FileKeeper, NodeError, NodeOptions, Place, Ready, RecordKeeper, TcpKeeper, page_url,
    ticket_request,
};
use p2p_http_api::{GivenBody, HttpInput, Request, ResponsePart};
use smol::Executor;

use crate::engine::EngineLoop;
use crate::http::{Connections, HttpApplication, HttpClient, HttpServer};
use crate::udp::{SOCKET_BUFFER_BYTES, Sockets};

/// Runs a node until `shutdown` is ready; `ready` is called once it serves.
///
/// # Errors
/// Where it cannot start: state directory, address, or configuration.
pub async fn run_node(
    options: NodeOptions,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(&Ready),
) -> Result<(), NodeError> {
    let place = Place::open(&options, "smol", SOCKET_BUFFER_BYTES)?;
    let sockets = Sockets::new(place.udp)?;
    let server = HttpServer::new(place.http)?;
    let application = HttpApplication::new(place.surface);
    let make = |config, now| p2p_host::engine(config, now, options.record.as_deref());
    let mut engine =
        EngineLoop::with_engine(place.config, place.clock, sockets, application, make)?
            .with_peers(place.peers);
    let handle = engine.handle();
    let kept = handle.clone();
    let tell = move |order, is_kept| kept.send(HttpInput::Kept(order, is_kept));
    let keeper = RecordKeeper::start(place.records, tell)?;
    engine.application_mut().set_keeper(keeper);
    let told = handle.clone();
    let sockets = TcpKeeper::start(move |news| told.send(HttpInput::Socket(news)))?;
    engine.application_mut().set_sockets(sockets);
    let told = handle.clone();
    let files = FileKeeper::new(place.volume, move |news| told.send(HttpInput::Files(news)));
    engine.application_mut().set_files(files);
    let connections = Arc::new(Connections::new(handle.clone()));
    let mut facts = place.facts;
    let executor = Arc::new(Executor::new());
    server.start(&executor, &connections);
    let attend = async {
        let request = ticket_request(&facts.http, &place.token);
        let answer = ask(&connections, request).await;
        facts.page_url = page_url(&facts.http, answer.as_ref());
        ready(&facts);
        shutdown.await;
        handle.shutdown();
        future::pending::<()>().await;
    };
    let run = async {
        engine.run().await;
    };
    executor.run(future::or(run, attend)).await;
    drop(place.state);
    Ok(())
}

/// Asks the surface without a connection; gives the head of the answer.
async fn ask(connections: &Connections, request: Request) -> Option<ResponsePart> {
    let (client, parts, _room) = HttpClient::new();
    connections.send(HttpInput::Request {
        id: connections.next_id(),
        request,
        client,
        body: GivenBody::None,
    });
    parts.recv().await.ok()
}
