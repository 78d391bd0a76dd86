//! What the application tells its data apart by.

use core::fmt;
use std::sync::Arc;

use super::{ApiMisuse, ChannelId};
use crate::limits;

/// Name of a service: 1 to [`limits::SERVICE_NAME_BYTES`] bytes of UTF-8 without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    /// The name, if a text may be one.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn new(text: &str) -> Result<Self, ApiMisuse> {
        let is_long = text.len() > limits::SERVICE_NAME_BYTES;
        if text.is_empty() || is_long || text.chars().any(char::is_control) {
            return Err(ApiMisuse::InvalidArgument {
                what: "the service name",
                must: "must have 1 to 48 bytes and no control characters",
            });
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ServiceName {
    type Error = ApiMisuse;

    fn try_from(text: String) -> Result<Self, ApiMisuse> {
        Self::new(&text)
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What datagrams, messages and streams are for: a number that both applications have agreed on, or a service. A
/// name costs its length until the peer is known to have it, afterwards one or two bytes (protocol §5.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Channel {
    /// By number.
    Number(ChannelId),
    /// By the name of a service.
    Service(ServiceName),
}

impl Channel {
    /// The number, where it has one.
    #[must_use]
    pub const fn number(&self) -> Option<ChannelId> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Service(_) => None,
        }
    }

    /// The service, where it is one.
    #[must_use]
    pub const fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::Number(_) => None,
            Self::Service(name) => Some(name),
        }
    }
}

/// What a datagram, message or stream is for, with flags.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Label {
    /// What it is for.
    pub channel: Channel,
    /// Bits that reach the other application as they are; the engine gives none of them a meaning. Use one only
    /// where the peer's capabilities say that it is understood (protocol §3.8).
    pub flags: u32,
}

impl From<Channel> for Label {
    fn from(channel: Channel) -> Self {
        Self { channel, flags: 0 }
    }
}

impl From<ChannelId> for Label {
    fn from(number: ChannelId) -> Self {
        Channel::Number(number).into()
    }
}

impl From<ServiceName> for Label {
    fn from(name: ServiceName) -> Self {
        Channel::Service(name).into()
    }
}
