//! Refusals towards the caller. Faults of peers are in [`crate::error`].

use core::fmt;

/// A bound that was hit; the caller may try again later or ask for less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LimitReached {
    /// Name of the limit in [`crate::limits`].
    pub limit: &'static str,
    /// Its value, in the limit's own unit.
    pub value: u64,
}

/// A command that cannot be carried out; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum ApiMisuse {
    /// The peer is not connected.
    NotConnected,
    /// No peer with this id is known.
    UnknownPeer,
    /// No introducer with this id is configured.
    UnknownIntroducer,
    /// No introducer is configured at all.
    NoIntroducer,
    /// There is no such stream, or it has ended.
    UnknownStream,
    /// The sending half of the stream was finished or reset before.
    StreamFinished,
    /// There is no such message to take.
    UnknownMessage,
    /// There is no such open request.
    UnknownRequest,
    /// No answer to such an effect is waited for: it was answered, or its time is over.
    UnknownEffect,
    /// The node itself was named as the peer.
    OwnId,
    /// A text or payload has an impossible value.
    InvalidArgument {
        /// Which argument.
        what: &'static str,
        /// What it must be, as a clause.
        must: &'static str,
    },
    /// The payload does not fit the level.
    TooLarge {
        /// Most bytes that fit.
        limit_bytes: usize,
    },
    /// A bound was hit.
    Limit(LimitReached),
    /// The node has been shut down.
    ShutDown,
    /// The engine answered a command with what another command yields; only a faulty stand-in does.
    ForeignAnswer,
}

impl fmt::Display for ApiMisuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("the peer is not connected"),
            Self::UnknownPeer => f.write_str("no peer with this id is known"),
            Self::UnknownIntroducer => f.write_str("no introducer with this id is configured"),
            Self::NoIntroducer => f.write_str("no introducer is configured"),
            Self::UnknownStream => f.write_str("there is no such stream, or it has ended"),
            Self::StreamFinished => f.write_str("the sending half was finished before"),
            Self::UnknownMessage => f.write_str("there is no such message"),
            Self::UnknownRequest => f.write_str("there is no such open request"),
            Self::UnknownEffect => f.write_str("no answer to this effect is waited for"),
            Self::OwnId => f.write_str("the id is this node's own"),
            Self::InvalidArgument { what, must } => write!(f, "{what} {must}"),
            Self::TooLarge { limit_bytes } => write!(f, "at most {limit_bytes} bytes fit"),
            Self::Limit(l) => write!(f, "the limit {} of {} is reached", l.limit, l.value),
            Self::ShutDown => f.write_str("the node has been shut down"),
            Self::ForeignAnswer => {
                f.write_str("the engine answered another command than the one given")
            }
        }
    }
}

impl core::error::Error for ApiMisuse {}
