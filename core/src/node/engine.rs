//! The node behind the engine's contract: every call is passed on.

use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;

use bytes::Bytes;

use super::Node;
use crate::api::{
    Accepted, ApiMisuse, Arrival, Command, Effect, Engine, Event, MessageId, NodeStatus,
    PeerStatus, StreamId, StreamRead, Transmit, Why,
};
use crate::id::NodeId;
use crate::time::{Deadline, Instant};

impl Engine for Node {
    fn id(&self) -> NodeId {
        Self::id(self)
    }
    fn handle_arrival(&mut self, now: Instant, arrival: Arrival<'_>) {
        Self::handle_arrival(self, now, arrival);
    }
    fn handle_send_error(&mut self, now: Instant, to: SocketAddr, from: Option<IpAddr>) {
        Self::handle_send_error(self, now, to, from);
    }
    fn handle_timeout(&mut self, now: Instant) {
        Self::handle_timeout(self, now);
    }
    fn handle_command(&mut self, now: Instant, command: Command) -> Result<Accepted, ApiMisuse> {
        Self::handle_command(self, now, command)
    }
    fn read_stream(
        &mut self,
        now: Instant,
        peer: NodeId,
        stream: StreamId,
        max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse> {
        Self::read_stream(self, now, peer, stream, max_bytes)
    }
    fn take_message(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        Self::take_message(self, now, peer, message)
    }
    fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        Self::poll_transmit(self, now, buffer)
    }
    fn poll_event(&mut self) -> Option<Event> {
        Self::poll_event(self)
    }
    fn poll_effect(&mut self) -> Option<Effect> {
        Self::poll_effect(self)
    }
    fn poll_timeout(&self) -> Option<Deadline> {
        Self::poll_timeout(self)
    }
    fn status(&self, now: Instant) -> NodeStatus {
        Self::status(self, now)
    }
    fn peers(&self, now: Instant) -> Vec<PeerStatus> {
        Self::peers(self, now)
    }
    fn peers_named(&self, name: &str, most: usize) -> Vec<NodeId> {
        let known = self.table.named(name).filter(|entry| entry.is_known);
        known.map(|entry| entry.peer.id()).take(most).collect()
    }
    fn peers_between(&self, ids: RangeInclusive<NodeId>, most: usize) -> Vec<NodeId> {
        let known = self.table.between(ids).filter(|entry| entry.is_known);
        known.map(|entry| entry.peer.id()).take(most).collect()
    }
    fn peer(&self, now: Instant, id: &NodeId) -> Option<PeerStatus> {
        Self::peer(self, now, id)
    }
    fn why(&self, now: Instant, id: &NodeId) -> Option<Why> {
        Self::why(self, now, id)
    }
}
