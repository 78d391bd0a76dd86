//! Holds every event against the ledger before the application sees it: data only from connected
//! peers, nothing that nobody sent, nothing twice, one connection for each pair.

use p2p_core::api::Event;
use p2p_core::id::NodeId;

use super::World;
use super::label::stream_label;
use crate::oracle::Violation;

impl World {
    /// Whether the ledger covers an event.
    pub(super) fn judge(&mut self, host: usize, event: &Event) -> Result<(), Violation> {
        match event {
            Event::DatagramReceived { peer, label, data } => {
                let pair = (self.connected_peer(host, peer)?, host);
                self.ledger.datagram_received(pair, label, data)
            }
            Event::LatestReceived { peer, key, data } => {
                let pair = (self.connected_peer(host, peer)?, host);
                self.ledger.latest_received(pair, key, data)
            }
            Event::RequestReceived {
                peer,
                request,
                body,
                ..
            } => {
                let pair = (self.connected_peer(host, peer)?, host);
                self.ledger.request_executed(pair, *request, body)
            }
            Event::RequestDone {
                peer,
                request,
                outcome,
            } => {
                let pair = (host, self.known_peer(peer)?);
                self.ledger.request_done(pair, *request, outcome)
            }
            Event::MessageReady { peer, .. } => self.connected_peer(host, peer).map(|_| ()),
            Event::MessageDelivered { peer, message } => {
                let pair = (host, self.known_peer(peer)?);
                self.ledger.message_ended(pair, *message, Ok(()))
            }
            Event::MessageFailed {
                peer,
                message,
                reason,
            } => {
                let pair = (host, self.known_peer(peer)?);
                self.ledger.message_ended(pair, *message, Err(*reason))
            }
            Event::Connected {
                operation, peer, ..
            } => {
                // A second announcement answers an operation of ours; any other is a second
                // connection.
                let again = self.hosts[host].app.connected.contains_key(peer);
                match operation {
                    None if again => Err(format!("connected to {peer:?} twice")),
                    _ => Ok(()),
                }
            }
            Event::PathChanged { peer, .. } => self.connected_peer(host, peer).map(|_| ()),
            _ => self.judge_stream(host, event),
        }
    }

    fn judge_stream(&mut self, host: usize, event: &Event) -> Result<(), Violation> {
        match event {
            Event::StreamOpened {
                peer,
                stream,
                label,
            } => {
                let pair = (self.connected_peer(host, peer)?, host);
                match self.ledger.knows_stream(pair, *stream) {
                    true if *label == stream_label(pair.0, pair.1) => Ok(()),
                    true => Err(format!("{stream:?} is for {label:?}")),
                    false => Err(format!("{stream:?} was never opened")),
                }
            }
            Event::StreamReset { peer, stream, .. } | Event::StreamStopped { peer, stream, .. } => {
                let other = self.known_peer(peer)?;
                self.ledger.stream_voided((other, host), *stream);
                self.ledger.stream_voided((host, other), *stream);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn known_peer(&self, peer: &NodeId) -> Result<usize, Violation> {
        let known = self.by_id.get(peer).copied();
        known.ok_or_else(|| format!("an event about nobody, {peer:?}"))
    }

    fn connected_peer(&self, host: usize, peer: &NodeId) -> Result<usize, Violation> {
        if self.hosts[host].app.connected.contains_key(peer) {
            return self.known_peer(peer);
        }
        Err(format!("an event of {peer:?} without a connection"))
    }
}
