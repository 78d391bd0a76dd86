//! The application's commands, each handed to whom it concerns.

use super::Node;
use crate::api::{Accepted, ApiMisuse, Command};
use crate::id::NodeId;
use crate::peer::Peer;
use crate::time::Instant;

impl Node {
    pub(super) fn obey(&mut self, now: Instant, command: Command) -> Result<Accepted, ApiMisuse> {
        match command {
            Command::SetLocalAddresses(addresses) => {
                if self.addresses.on_interfaces(addresses) {
                    self.announce_addresses();
                }
                Ok(Accepted::Done)
            }
            Command::AddIntroducer(address) => {
                if address.id == self.id() {
                    return Err(ApiMisuse::OwnId);
                }
                self.add_introducer(address);
                Ok(Accepted::Done)
            }
            Command::RemoveIntroducer(id) => {
                self.remove_introducer(now, id).map(|()| Accepted::Done)
            }
            Command::Answered { id, result } => self
                .on_effect_answered(now, id, result)
                .map(|()| Accepted::Done),
            Command::Search {
                query,
                introducer,
                cursor,
            } => self.search(now, &query, introducer, cursor),
            Command::Connect {
                target,
                introducer,
                timeout,
            } => self.connect(now, target, introducer, timeout),
            Command::NetworkChanged => {
                self.on_network_changed(now);
                Ok(Accepted::Done)
            }
            Command::Shutdown => {
                self.shut_down(now);
                Ok(Accepted::Done)
            }
            other => self.obey_for_peer(now, other),
        }
    }

    fn obey_for_peer(&mut self, now: Instant, command: Command) -> Result<Accepted, ApiMisuse> {
        match command {
            Command::Disconnect(peer) if self.attempts.cancel(now, peer) => {
                self.stirred = true;
                self.disconnect(peer).or(Ok(Accepted::Done))
            }
            Command::Disconnect(peer) => self.disconnect(peer),
            Command::SendDatagram {
                peer,
                channel,
                data,
                expiry,
            } => {
                let expiry = expiry.map(|life| now + life);
                self.with_peer(peer, |p| p.send_datagram(channel, data, expiry).map(done))
            }
            Command::SetLatest { peer, key, data } => {
                self.with_peer(peer, |p| p.set_latest(&key, data).map(done))
            }
            Command::SendRequest {
                peer,
                service,
                budget,
                body,
                deadline,
            } => self.with_peer(peer, |p| {
                p.send_request(now, (service, budget), body, deadline)
                    .map(Accepted::Request)
            }),
            Command::CancelRequest { peer, request } => {
                self.with_peer(peer, |p| p.cancel_request(request).map(done))
            }
            Command::Answer {
                peer,
                request,
                answer,
            } => self.with_peer(peer, |p| p.answer(now, request, answer).map(done)),
            Command::SendMessage {
                peer,
                channel,
                data,
                deadline,
            } => {
                let deadline = deadline.map(|life| now + life);
                self.with_peer(peer, |p| {
                    p.send_message(channel, data, deadline)
                        .map(Accepted::Message)
                })
            }
            Command::OpenStream { peer, channel } => {
                self.with_peer(peer, |p| p.open_stream(channel).map(Accepted::Stream))
            }
            Command::WriteStream { peer, stream, data } => self.with_peer(peer, |p| {
                p.write_stream(stream, data).map(Accepted::Written)
            }),
            Command::FinishStream { peer, stream } => {
                self.with_peer(peer, |p| p.finish_stream(stream).map(done))
            }
            Command::ResetStream { peer, stream, code } => {
                self.with_peer(peer, |p| p.reset_stream(stream, code).map(done))
            }
            Command::StopStream { peer, stream, code } => {
                self.with_peer(peer, |p| p.stop_stream(stream, code).map(done))
            }
            Command::Ping(peer) => self.with_peer(peer, |p| p.ping().map(done)),
            _ => Ok(Accepted::Done),
        }
    }

    /// Says goodbye to a peer, or gives a handshake with it up.
    fn disconnect(&mut self, peer: NodeId) -> Result<Accepted, ApiMisuse> {
        self.with_peer(peer, |p| {
            let is_calling = p.is_calling() && !p.is_connected();
            if !p.is_connected() && !is_calling {
                return Err(ApiMisuse::NotConnected);
            }
            p.drop_call();
            p.close(0, "goodbye");
            Ok(Accepted::Done)
        })
    }

    fn with_peer(
        &mut self,
        peer: NodeId,
        order: impl FnOnce(&mut Peer) -> Result<Accepted, ApiMisuse>,
    ) -> Result<Accepted, ApiMisuse> {
        if peer == self.id() {
            return Err(ApiMisuse::OwnId);
        }
        let key = self.table.key_of(&peer).ok_or(ApiMisuse::UnknownPeer)?;
        let entry = self.table.get_mut(key).ok_or(ApiMisuse::UnknownPeer)?;
        let accepted = order(&mut entry.peer);
        self.agenda.on_touched(key);
        accepted
    }

    fn on_network_changed(&mut self, now: Instant) {
        for key in self.table.keys() {
            if let Some(entry) = self.table.get_mut(key) {
                entry.peer.paths.on_network_change(now);
                self.agenda.on_touched(key);
            }
        }
        for introducer in &mut self.introducers {
            introducer.link.on_network_changed();
        }
        self.announce_addresses();
        self.stirred = true;
    }

    fn shut_down(&mut self, now: Instant) {
        for key in self.table.keys() {
            if let Some(entry) = self.table.get_mut(key) {
                entry.peer.drop_call();
                entry.peer.close(0, "goodbye");
                self.agenda.on_touched(key);
            }
        }
        self.introducers.clear();
        self.errands.stop_waiting();
        self.settle(now);
        self.is_shut_down = true;
    }
}

fn done((): ()) -> Accepted {
    Accepted::Done
}
