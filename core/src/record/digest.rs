//! One number for everything that an engine gave: equal numbers mean equal output, in the same order.

use blake2::digest::{FixedOutput, Update};
use blake2::{Blake2s256, digest};
use serde::Serialize;

use crate::api::Transmit;

/// BLAKE2s-256 over the outputs so far.
#[derive(Clone, Default)]
pub(super) struct Digest(Blake2s256);

impl Digest {
    /// The engine gave something; `kind` keeps outputs of different calls apart.
    pub(super) fn add(&mut self, kind: u8, output: &impl Serialize) {
        // Writing plain data into memory does not fail.
        let text = serde_json::to_vec(output).unwrap_or_default();
        self.add_bytes(kind, &text);
    }

    /// The engine filled a buffer, or had nothing to send.
    pub(super) fn add_transmit(&mut self, transmit: Option<&Transmit>, buffer: &[u8]) {
        self.add(b't', &transmit);
        let len = transmit.map_or(0, |t| t.len);
        self.add_bytes(b'b', buffer.get(..len).unwrap_or_default());
    }

    fn add_bytes(&mut self, kind: u8, bytes: &[u8]) {
        Update::update(&mut self.0, &[kind]);
        Update::update(&mut self.0, &(bytes.len() as u64).to_be_bytes());
        Update::update(&mut self.0, bytes);
    }

    /// The number so far, in hexadecimal.
    pub(super) fn text(&self) -> String {
        let hash: digest::Output<Blake2s256> = self.0.clone().finalize_fixed();
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
