//! What only tests may do: make a peer that breaks the rules, and look at what another could make grow.

#[cfg(test)]
use crate::api::ControllerKind;
use crate::path::Route;
use crate::peer::Peer;
use crate::peer::line::PacketKind;
use crate::time::Instant;
use crate::wire::frame::padding;

const FRONT_BYTES: usize = 32;

impl Peer {
    /// A sealed packet with exactly these frames, for tests that play a peer that breaks the rules.
    pub(crate) fn seal_raw(&mut self, now: Instant, frames: &[u8]) -> Option<(Route, Vec<u8>)> {
        let (path, route) = self.line.paths.active()?;
        let mut buffer = vec![0; frames.len() + 64 + FRONT_BYTES];
        let len = self.line.seal(
            &mut self.sessions,
            (now, path),
            &mut buffer,
            PacketKind::SILENT,
            |w, _| {
                // Padding in front, so that none is added behind, where it would complete a frame that is cut.
                padding::fill(w, FRONT_BYTES).is_ok() && w.put_bytes(frames).is_ok()
            },
        )?;
        buffer.truncate(len);
        Some((route, buffer))
    }
}

#[cfg(test)]
impl Peer {
    /// Pretends that so many packets failed to open with the session in front; gives its receiver index.
    pub(crate) fn wear(&mut self, forgeries: u64) -> Option<u32> {
        let (session, _) = self.sessions.sealing()?;
        session.wear(forgeries);
        Some(session.local_index)
    }

    /// The congestion controller of its paths.
    pub(crate) fn controller_kind(&self) -> ControllerKind {
        self.line.congestion()
    }

    /// Lengths of everything that a peer could make grow: outcomes, controls, relayed, replies, kept bytes.
    pub(crate) fn queue_lengths(&self) -> [usize; 5] {
        let [replies, unclaimed] = self.sources.levels.queue_lengths();
        [
            self.outcomes.len(),
            self.sources.controls.len(),
            self.sources.relayed.len(),
            replies,
            unclaimed,
        ]
    }
}
