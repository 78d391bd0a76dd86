//! What an application, a driver and the engine say to each other: commands in, events and effects out.
//! Plain data, and [`Engine`], the contract that [`crate::Node`] keeps.

pub mod answer_status;
mod command;
mod config;
mod engine;
mod error;
mod event;
mod label;
mod operator;
mod reason;
mod status;
mod transmit;

pub use crate::ecn::EcnCodepoint;
pub use crate::link::{AddressFamilies, Link, LinkId};
pub use command::{Accepted, Command, ConnectTarget};
pub use config::{
    ControllerKind, HostAddresses, IntroducerAddress, KnownPeer, NodeConfig, Roles, SendWeights,
    Strangers, UnknownController, UnknownPolicy,
};
pub use engine::{Engine, EngineExt};
pub use error::{ApiMisuse, LimitReached};
pub use event::{
    Answer, ConnectFailure, DisconnectReason, Effect, EffectKind, EffectResult, Event,
    MessageFailure, PathChangeReason, RequestOutcome, SearchEntry, SearchOutcome, StreamRead,
};
pub use label::{Channel, Label, ServiceName};
pub use operator::OperatorLimits;
pub use reason::{CandidateRefusal, RegistrationRefusal};
pub use status::{
    CandidateAttempt, CandidateKind, Counters, IntroducerState, IntroducerStatus, NodeStatus,
    PathKind, PathStatus, PeerState, PeerStatus, Verdict, Why,
};
pub use transmit::{Arrival, Transmit};

/// Application-chosen number that tells purposes apart within one level, for example chat and presence.
pub type ChannelId = u32;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub u64);
    };
}

number_id! {
    /// One stream within a peer. Bit 0 says who opened it (protocol §8.3).
    StreamId
}
number_id! {
    /// One message sent to, or received from, a peer. Each direction counts for itself.
    MessageId
}
number_id! {
    /// One request; random, so that answers cannot be forged by counting (protocol §8.1).
    RequestId
}
number_id! {
    /// One effect that the driver is asked for.
    EffectId
}
number_id! {
    /// One long action of the node, such as a search or a connection attempt.
    OperationId
}
