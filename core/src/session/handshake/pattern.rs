//! The two Noise patterns and how a state for one is made (protocol §3: names, prologue, psk).
//! Takes keys and a seed; returns a `snow` state that is a function of them.

use snow::{Builder, HandshakeState};
use zeroize::Zeroizing;

use super::HandshakeError;
use crate::id::NodeId;
use crate::session::noise::Resolver;

/// Which Noise pattern; the value is the prologue's pattern byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    Ik = 0,
    Xx = 1,
}

/// The pair shares no secret: `IKpsk2` with this is `IK` with one more hash.
const NO_PSK: [u8; 32] = [0; 32];

impl Pattern {
    const fn name(self) -> &'static str {
        match self {
            Self::Ik => "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s",
            Self::Xx => "Noise_XX_25519_ChaChaPoly_BLAKE2s",
        }
    }
}

/// What both sides know before the first datagram is read.
pub(super) struct Setting<'a> {
    pub pattern: Pattern,
    pub network: &'a str,
    pub responder: NodeId,
    pub initiator_index: u32,
}

impl Setting<'_> {
    /// The prologue; labels longer than 255 bytes count by their first 255.
    fn prologue(&self) -> Vec<u8> {
        let length = self.network.len().min(255);
        let label = self.network.as_bytes().get(..length).unwrap_or_default();
        let mut bytes = b"p2p handshake v1".to_vec();
        bytes.push(self.pattern as u8);
        bytes.push(u8::try_from(length).unwrap_or(u8::MAX));
        bytes.extend_from_slice(label);
        bytes.extend_from_slice(self.responder.as_bytes());
        bytes.extend_from_slice(&self.initiator_index.to_be_bytes());
        bytes
    }

    /// A state at its beginning; `remote_static` where an `IK` initiator knows it, and nowhere
    /// else.
    pub(super) fn state(
        &self,
        is_initiator: bool,
        static_secret: &Zeroizing<[u8; 32]>,
        remote_static: Option<&[u8; 32]>,
        seed: &Zeroizing<[u8; 32]>,
    ) -> Result<HandshakeState, HandshakeError> {
        let prologue = self.prologue();
        let build = || -> Result<HandshakeState, snow::Error> {
            let params = self.pattern.name().parse()?;
            let mut builder = Builder::with_resolver(params, Box::new(Resolver::new(seed)))
                .local_private_key(static_secret.as_slice())?
                .prologue(&prologue)?;
            if self.pattern == Pattern::Ik {
                builder = builder.psk(2, &NO_PSK)?;
            }
            if let Some(remote) = remote_static {
                builder = builder.remote_public_key(remote)?;
            }
            if is_initiator {
                builder.build_initiator()
            } else {
                builder.build_responder()
            }
        };
        build().map_err(|_| HandshakeError::Crypto)
    }
}

/// Writes the next message of `state`, which must come out `length` bytes long.
pub(super) fn write(
    state: &mut HandshakeState,
    payload: &[u8],
    length: usize,
) -> Result<Vec<u8>, HandshakeError> {
    // snow wants room for a tag even where the payload is not sealed yet.
    let mut message = vec![0; length + 16];
    let written = state
        .write_message(payload, &mut message)
        .map_err(|_| HandshakeError::Crypto)?;
    if written != length {
        return Err(HandshakeError::Crypto);
    }
    message.truncate(length);
    Ok(message)
}

/// Reads a message whose payload must be `length` bytes long.
pub(super) fn read(
    state: &mut HandshakeState,
    message: &[u8],
    length: usize,
) -> Result<Vec<u8>, HandshakeError> {
    let mut payload = vec![0; message.len()];
    let read = state
        .read_message(message, &mut payload)
        .map_err(|_| HandshakeError::Crypto)?;
    if read != length {
        return Err(HandshakeError::Malformed);
    }
    payload.truncate(length);
    Ok(payload)
}
