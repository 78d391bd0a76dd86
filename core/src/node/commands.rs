//! The application's commands for one peer.

use super::peers::Peers;
use crate::api::{Accepted, ApiMisuse, Command};
use crate::peer::{Farewell, Peer};
use crate::time::Instant;

/// Carries out a command that concerns one peer; the node's own are carried out above.
pub(super) fn carry_out(
    peers: &mut Peers,
    now: Instant,
    command: Command,
) -> Result<Accepted, ApiMisuse> {
    match command {
        Command::Disconnect(peer) => peers.order(peer, disconnect),
        Command::SendDatagram {
            peer,
            label,
            data,
            expiry,
        } => {
            let expiry = expiry.map(|life| now + life);
            peers.order(peer, |p| {
                p.sources
                    .levels
                    .send_datagram(&label, data, expiry)
                    .map(done)
            })
        }
        Command::SetLatest { peer, key, data } => {
            peers.order(peer, |p| p.sources.levels.set_latest(&key, data).map(done))
        }
        Command::SendRequest {
            peer,
            service,
            budget,
            body,
            deadline,
        } => peers.order(peer, |p| {
            p.sources
                .levels
                .send_request(now, (service, budget), body, deadline)
                .map(Accepted::Request)
        }),
        Command::CancelRequest { peer, request } => {
            peers.order(peer, |p| p.sources.levels.cancel_request(request).map(done))
        }
        Command::Answer {
            peer,
            request,
            answer,
        } => peers.order(peer, |p| {
            p.sources.levels.answer(now, request, answer).map(done)
        }),
        Command::SendMessage {
            peer,
            label,
            data,
            deadline,
        } => {
            let deadline = deadline.map(|life| now + life);
            peers.order(peer, |p| {
                p.sources
                    .levels
                    .send_message(&label, data, deadline)
                    .map(Accepted::Message)
            })
        }
        Command::OpenStream { peer, label } => peers.order(peer, |p| {
            p.sources.levels.open_stream(&label).map(Accepted::Stream)
        }),
        Command::WriteStream { peer, stream, data } => peers.order(peer, |p| {
            let (streams, id) = p.sources.levels.stream(stream)?;
            streams.write(id, data).map(Accepted::Written)
        }),
        Command::FinishStream { peer, stream } => peers.order(peer, |p| {
            let (streams, id) = p.sources.levels.stream(stream)?;
            streams.finish(id).map(done)
        }),
        Command::ResetStream { peer, stream, code } => peers.order(peer, |p| {
            let (streams, id) = p.sources.levels.stream(stream)?;
            streams.reset(id, code).map(done)
        }),
        Command::StopStream { peer, stream, code } => peers.order(peer, |p| {
            let (streams, id) = p.sources.levels.stream(stream)?;
            streams.stop(id, code).map(done)
        }),
        Command::Ping(peer) => peers.order(peer, |p| p.sources.ping().map(done)),
        Command::Accept(_)
        | Command::Block(_)
        | Command::Unblock(_)
        | Command::SetLocalAddresses(_)
        | Command::LinkUp(_)
        | Command::LinkDown(_)
        | Command::AddIntroducer(_)
        | Command::RemoveIntroducer(_)
        | Command::Answered { .. }
        | Command::Search { .. }
        | Command::Connect { .. }
        | Command::NetworkChanged
        | Command::Shutdown => Ok(Accepted::Done),
    }
}

/// Says goodbye to a peer, or gives a handshake with it up.
pub(super) fn disconnect(peer: &mut Peer) -> Result<Accepted, ApiMisuse> {
    if !peer.is_connected() && !peer.handshakes.is_under_way() {
        return Err(ApiMisuse::NotConnected);
    }
    peer.drop_handshake();
    peer.close(Farewell::Goodbye);
    Ok(Accepted::Done)
}

fn done((): ()) -> Accepted {
    Accepted::Done
}
