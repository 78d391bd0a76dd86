//! The side that opens a handshake (protocol §3).
//!
//! Takes answers and cookie replies; gives the datagram to send now, and in the end [`Established`].
//! Holds the seed of its ephemeral key until it is dropped, because a forged answer spoils a Noise
//! state and a new one must equal it.

use snow::HandshakeState;
use zeroize::Zeroizing;

use super::layout::{self, MacKey};
use super::pattern::{self, Pattern, Setting};
use super::payload::{self, Acceptance, Offer};
use super::{Established, HandshakeError, LocalOffer, RecordCache, cookie};
use crate::id::NodeId;
use crate::identity::{Identity, KEY_RECORD_BYTES, KeyRecord};
use crate::rng::Rng;
use crate::session::protection::{Agreed, Session};

/// A handshake that this node has opened.
pub(crate) struct Initiator {
    pattern: Pattern,
    network: String,
    remote: NodeId,
    remote_record: Option<KeyRecord>,
    local: LocalOffer,
    local_record: KeyRecord,
    static_secret: Zeroizing<[u8; 32]>,
    seed: Zeroizing<[u8; 32]>,
    state: Option<HandshakeState>,
    datagram: Vec<u8>,
    cookie: Option<[u8; 16]>,
    is_over: bool,
}

impl Initiator {
    /// Opens a handshake with an identity whose key record is known.
    ///
    /// # Errors
    /// [`HandshakeError::Crypto`] for a static key that is a low-order point;
    /// [`HandshakeError::Malformed`] for a zero association.
    pub(crate) fn new_ik(
        identity: &Identity,
        network: &str,
        remote: &KeyRecord,
        local: LocalOffer,
        rng: &mut Rng,
    ) -> Result<Self, HandshakeError> {
        if local.association == 0 {
            return Err(HandshakeError::Malformed);
        }
        let record = Some(remote.clone());
        Self::open(
            identity,
            network,
            (Pattern::Ik, remote.id, record),
            local,
            rng,
        )
    }

    /// Opens a handshake with an identity of which only the id is known.
    ///
    /// # Errors
    /// [`HandshakeError::Crypto`] where the library fails.
    pub(crate) fn new_xx(
        identity: &Identity,
        network: &str,
        remote: NodeId,
        local: LocalOffer,
        rng: &mut Rng,
    ) -> Result<Self, HandshakeError> {
        Self::open(identity, network, (Pattern::Xx, remote, None), local, rng)
    }

    fn open(
        identity: &Identity,
        network: &str,
        (pattern, remote, remote_record): (Pattern, NodeId, Option<KeyRecord>),
        local: LocalOffer,
        rng: &mut Rng,
    ) -> Result<Self, HandshakeError> {
        if remote == identity.node_id() {
            return Err(HandshakeError::Identity);
        }
        let mut initiator = Self {
            pattern,
            network: network.to_owned(),
            remote,
            remote_record,
            local,
            local_record: identity.record().clone(),
            static_secret: identity.static_secret().clone(),
            seed: Zeroizing::new(rng.array()),
            state: None,
            datagram: Vec::new(),
            cookie: None,
            is_over: false,
        };
        let (state, noise) = initiator.begin()?;
        let kind = match pattern {
            Pattern::Ik => layout::TYPE_IK_INITIATION,
            Pattern::Xx => layout::TYPE_XX_FIRST,
        };
        initiator.state = Some(state);
        initiator.datagram = layout::build(
            kind,
            local.index,
            0,
            &noise,
            Some(&MacKey::of(&initiator.remote)),
        );
        Ok(initiator)
    }

    /// A state that has written the first message; the same each time.
    fn begin(&self) -> Result<(HandshakeState, Vec<u8>), HandshakeError> {
        let setting = Setting {
            pattern: self.pattern,
            network: &self.network,
            responder: self.remote,
            initiator_index: self.local.index,
        };
        let remote_static = self.remote_record.as_ref().map(|r| &r.static_key);
        let mut state = setting.state(true, &self.static_secret, remote_static, &self.seed)?;
        let noise = match self.pattern {
            Pattern::Ik => {
                let offer = Offer::write(&self.local_record, self.local.association, &self.local);
                pattern::write(&mut state, &offer, layout::IK_FIRST_NOISE)?
            }
            Pattern::Xx => pattern::write(&mut state, &[], layout::XX_FIRST_NOISE)?,
        };
        Ok((state, noise))
    }

    /// The datagram to send now and to repeat.
    #[must_use]
    pub(crate) fn datagram(&self) -> &[u8] {
        &self.datagram
    }

    /// The index under which answers come in.
    #[must_use]
    pub(crate) const fn local_index(&self) -> u32 {
        self.local.index
    }

    /// Takes a cookie reply: from now on [`Self::datagram`] carries a `mac2`.
    ///
    /// # Errors
    /// [`HandshakeError`] for a reply that does not belong to the datagram sent; nothing changes
    /// then.
    pub(crate) fn on_cookie(&mut self, bytes: &[u8]) -> Result<(), HandshakeError> {
        let mac1 = layout::mac1(&self.datagram).ok_or(HandshakeError::Malformed)?;
        let cookie = cookie::open(bytes, self.local.index, &self.remote, mac1)?;
        layout::write_mac2(&mut self.datagram, &cookie);
        self.cookie = Some(cookie);
        Ok(())
    }

    /// Takes the responder's answer.
    ///
    /// # Errors
    /// [`HandshakeError`]; the genuine answer is still accepted afterwards.
    pub(crate) fn on_response(
        &mut self,
        bytes: &[u8],
        records: &mut RecordCache,
    ) -> Result<Established, HandshakeError> {
        if self.is_over {
            return Err(HandshakeError::Finished);
        }
        let kind = match self.pattern {
            Pattern::Ik => layout::TYPE_IK_RESPONSE,
            Pattern::Xx => layout::TYPE_XX_SECOND,
        };
        let frame = layout::parse(kind, bytes)?;
        if frame.receiver != self.local.index {
            return Err(HandshakeError::Index);
        }
        // Taken out: on any error below it is not put back, and the next answer meets a fresh one.
        let state = match self.state.take() {
            Some(state) => state,
            None => self.begin()?.0,
        };
        let established = match self.pattern {
            Pattern::Ik => self.finish_ik(state, &frame),
            Pattern::Xx => self.finish_xx(state, &frame, records),
        }?;
        self.is_over = true;
        Ok(established)
    }

    fn finish_ik(
        &self,
        mut state: HandshakeState,
        frame: &layout::Frame<'_>,
    ) -> Result<Established, HandshakeError> {
        let remote = self.remote_record.clone().ok_or(HandshakeError::Identity)?;
        let payload = pattern::read(&mut state, frame.noise, payload::ACCEPTANCE_BYTES)?;
        let acceptance = Acceptance::read(&payload, frame.sender)?;
        Ok(self.established(&mut state, frame, remote, &acceptance, None))
    }

    fn finish_xx(
        &self,
        mut state: HandshakeState,
        frame: &layout::Frame<'_>,
        records: &mut RecordCache,
    ) -> Result<Established, HandshakeError> {
        let payload = pattern::read(&mut state, frame.noise, payload::XX_ACCEPTANCE_BYTES)?;
        let (record, rest) = payload
            .split_first_chunk::<KEY_RECORD_BYTES>()
            .ok_or(HandshakeError::Malformed)?;
        let acceptance = Acceptance::read(rest, frame.sender)?;
        let record = records.verify(record)?;
        let is_wanted = record.id == self.remote
            && state.get_remote_static() == Some(record.static_key.as_slice());
        if !is_wanted {
            return Err(HandshakeError::Identity);
        }
        let offer = Offer::write(&self.local_record, acceptance.association, &self.local);
        let noise = pattern::write(&mut state, &offer, layout::XX_THIRD_NOISE)?;
        let mut last = layout::build(
            layout::TYPE_XX_THIRD,
            self.local.index,
            frame.sender,
            &noise,
            Some(&MacKey::of(&self.remote)),
        );
        if let Some(cookie) = &self.cookie {
            layout::write_mac2(&mut last, cookie);
        }
        Ok(self.established(&mut state, frame, record, &acceptance, Some(last)))
    }

    fn established(
        &self,
        state: &mut HandshakeState,
        frame: &layout::Frame<'_>,
        remote: KeyRecord,
        acceptance: &Acceptance,
        final_datagram: Option<Vec<u8>>,
    ) -> Established {
        let session = Session::new(
            state,
            &Agreed {
                is_initiator: true,
                suite: acceptance.suite,
                local_index: self.local.index,
                remote_index: frame.sender,
                remote_reset_token: acceptance.reset_token,
            },
        );
        Established {
            session,
            remote,
            association: acceptance.association,
            capabilities: acceptance.capabilities,
            final_datagram,
        }
    }
}
