//! The side that answers a handshake (protocol §3).
//!
//! `IK` in two steps, because which association goes on is decided by the caller between them:
//! [`read_ik`] tells who calls and with which association, [`IkRequest::accept`] answers. `XX`
//! likewise in [`answer_xx`] and [`XxResponder::on_final`]; before the latter the caller is
//! anonymous.

use snow::HandshakeState;
use zeroize::Zeroizing;

use super::layout::{self, Frame, MacKey};
use super::pattern::{self, Pattern, Setting};
use super::payload::{self, Acceptance, Offer};
use super::{Established, HandshakeError, LocalOffer, RecordCache};
use crate::identity::{Identity, KeyRecord};
use crate::rng::Rng;
use crate::session::protection::{Agreed, Session, Suite};

/// An authentic `IK` initiation that waits for the decision to answer it. It may be a replay: the
/// session that comes of it is provisional until a packet was opened with it.
pub(crate) struct IkRequest {
    /// Who calls.
    pub remote: KeyRecord,
    /// The association that the caller wants to go on with or to begin.
    pub association: u64,
    /// The caller's index.
    pub sender_index: u32,
    /// What the caller can do.
    pub capabilities: u32,
    /// Larger than in every handshake that the caller began before.
    pub stamp: u64,
    reset_token: [u8; 16],
    suite: Suite,
    state: HandshakeState,
}

/// An answer, and the session that it makes once the caller proves that it got it.
pub(crate) struct Responded {
    /// The datagram to send, and to repeat for a repeated initiation.
    pub datagram: Vec<u8>,
    /// The session, provisional until it opened a packet.
    pub session: Session,
}

/// Reads an `IK` initiation: `mac1`, then Noise, then the record's signature.
///
/// # Errors
/// [`HandshakeError`] where nothing may be answered.
pub(crate) fn read_ik(
    identity: &Identity,
    network: &str,
    bytes: &[u8],
    records: &mut RecordCache,
    rng: &mut Rng,
) -> Result<IkRequest, HandshakeError> {
    let frame = checked_frame(identity, layout::TYPE_IK_INITIATION, bytes)?;
    let setting = setting(identity, network, Pattern::Ik, frame.sender);
    let seed = Zeroizing::new(rng.array());
    let mut state = setting.state(false, identity.static_secret(), None, &seed)?;
    let offer = pattern::read(&mut state, frame.noise, payload::OFFER_BYTES)?;
    let offer = authentic_offer(identity, &state, &offer, records)?;
    Ok(IkRequest {
        remote: offer.record,
        association: offer.association,
        sender_index: frame.sender,
        capabilities: offer.capabilities,
        stamp: offer.stamp,
        reset_token: offer.reset_token,
        suite: Suite::choose(offer.suites).ok_or(HandshakeError::Suite)?,
        state,
    })
}

impl IkRequest {
    /// Answers; `local.association` is the caller's where it goes on, else a fresh one.
    ///
    /// # Errors
    /// [`HandshakeError::Malformed`] for a zero association, [`HandshakeError::Crypto`] for a
    /// caller's key that is a low-order point.
    pub(crate) fn accept(mut self, local: LocalOffer) -> Result<Responded, HandshakeError> {
        if local.association == 0 {
            return Err(HandshakeError::Malformed);
        }
        let mut payload = Vec::with_capacity(payload::ACCEPTANCE_BYTES);
        Acceptance::write(&mut payload, self.suite, &local);
        let noise = pattern::write(&mut self.state, &payload, layout::IK_SECOND_NOISE)?;
        Ok(Responded {
            datagram: layout::build(
                layout::TYPE_IK_RESPONSE,
                local.index,
                self.sender_index,
                &noise,
                None,
            ),
            session: Session::new(
                &mut self.state,
                &Agreed {
                    is_initiator: false,
                    suite: self.suite,
                    local_index: local.index,
                    remote_index: self.sender_index,
                    remote_reset_token: self.reset_token,
                },
            ),
        })
    }
}

/// An `XX` handshake that was answered and waits for its third datagram.
pub(crate) struct XxResponder {
    network: String,
    local: LocalOffer,
    remote_index: u32,
    first: Vec<u8>,
    seed: Zeroizing<[u8; 32]>,
    state: Option<HandshakeState>,
    datagram: Vec<u8>,
    is_over: bool,
}

/// Answers the first datagram of `XX`, which shows this node's key record to whoever knows its id.
///
/// # Errors
/// [`HandshakeError`] where nothing may be answered; [`HandshakeError::Malformed`] also for a zero
/// association.
pub(crate) fn answer_xx(
    identity: &Identity,
    network: &str,
    bytes: &[u8],
    local: LocalOffer,
    rng: &mut Rng,
) -> Result<XxResponder, HandshakeError> {
    let frame = checked_frame(identity, layout::TYPE_XX_FIRST, bytes)?;
    if local.association == 0 {
        return Err(HandshakeError::Malformed);
    }
    let mut responder = XxResponder {
        network: network.to_owned(),
        local,
        remote_index: frame.sender,
        first: frame.noise.to_vec(),
        seed: Zeroizing::new(rng.array()),
        state: None,
        datagram: Vec::new(),
        is_over: false,
    };
    let (state, noise) = responder.begin(identity)?;
    responder.state = Some(state);
    responder.datagram = layout::build(
        layout::TYPE_XX_SECOND,
        local.index,
        frame.sender,
        &noise,
        None,
    );
    Ok(responder)
}

impl XxResponder {
    /// A state that has read the first message and written the second; the same each time.
    fn begin(&self, identity: &Identity) -> Result<(HandshakeState, Vec<u8>), HandshakeError> {
        let setting = setting(identity, &self.network, Pattern::Xx, self.remote_index);
        let mut state = setting.state(false, identity.static_secret(), None, &self.seed)?;
        pattern::read(&mut state, &self.first, 0)?;
        let mut payload = identity.record().to_bytes().to_vec();
        Acceptance::write(&mut payload, Suite::PREFERRED, &self.local);
        let noise = pattern::write(&mut state, &payload, layout::XX_SECOND_NOISE)?;
        Ok((state, noise))
    }

    /// The datagram to send, and to repeat for a repeated first one.
    #[must_use]
    pub(crate) fn datagram(&self) -> &[u8] {
        &self.datagram
    }

    /// Takes the third datagram; the caller proves with it that it is live.
    ///
    /// # Errors
    /// [`HandshakeError`]; the genuine one is still accepted afterwards.
    pub(crate) fn on_final(
        &mut self,
        identity: &Identity,
        bytes: &[u8],
        records: &mut RecordCache,
    ) -> Result<Established, HandshakeError> {
        if self.is_over {
            return Err(HandshakeError::Finished);
        }
        let frame = checked_frame(identity, layout::TYPE_XX_THIRD, bytes)?;
        if frame.receiver != self.local.index || frame.sender != self.remote_index {
            return Err(HandshakeError::Index);
        }
        // Taken out: on any error below it is not put back, and the next datagram meets a fresh
        // one.
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.begin(identity)?.0,
        };
        let offer = pattern::read(&mut state, frame.noise, payload::OFFER_BYTES)?;
        let offer = authentic_offer(identity, &state, &offer, records)?;
        if offer.association != self.local.association {
            return Err(HandshakeError::Malformed);
        }
        if !Suite::PREFERRED.is_in(offer.suites) {
            return Err(HandshakeError::Suite);
        }
        self.is_over = true;
        let session = Session::new(
            &mut state,
            &Agreed {
                is_initiator: false,
                suite: Suite::PREFERRED,
                local_index: self.local.index,
                remote_index: self.remote_index,
                remote_reset_token: offer.reset_token,
            },
        );
        Ok(Established {
            session,
            remote: offer.record,
            association: offer.association,
            capabilities: offer.capabilities,
            final_datagram: None,
        })
    }
}

fn setting<'a>(
    identity: &Identity,
    network: &'a str,
    pattern: Pattern,
    initiator_index: u32,
) -> Setting<'a> {
    Setting {
        pattern,
        network,
        responder: identity.node_id(),
        initiator_index,
    }
}

fn checked_frame<'a>(
    identity: &Identity,
    kind: u8,
    bytes: &'a [u8],
) -> Result<Frame<'a>, HandshakeError> {
    let frame = layout::parse(kind, bytes)?;
    if MacKey::of(&identity.node_id()).check_mac1(bytes) {
        Ok(frame)
    } else {
        Err(HandshakeError::Mac)
    }
}

/// Reads an offer; the record must be for the key that Noise proved, and not our own come back.
fn authentic_offer(
    identity: &Identity,
    state: &HandshakeState,
    bytes: &[u8],
    records: &mut RecordCache,
) -> Result<Offer, HandshakeError> {
    let remote_static = state.get_remote_static().unwrap_or_default();
    let offer = Offer::read(bytes, remote_static, records)?;
    if offer.record.id == identity.node_id() {
        return Err(HandshakeError::Identity);
    }
    Ok(offer)
}
