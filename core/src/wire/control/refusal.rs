//! Refusals: an answer with `e` in place of what was asked for (protocol §6.3), and `cx` for a relay channel.

use super::ControlMessage;
use super::attributes::{Attributes, Result};
use super::builder::Builder;
use super::names::{command, ours, seed};

/// Which kind of request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RefusedCommand {
    /// A registration (`rg`).
    Register,
    /// A search (`qrs`).
    Search,
    /// A connect order or an introduction (`cr2`).
    Connect,
}

/// Why a request is refused (protocol §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RefusalCode {
    /// No such peer here.
    Unknown,
    /// The target does not want it; also what an unassigned code is read as.
    Refused,
    /// No room.
    Full,
    /// The name belongs to another key.
    Taken,
    /// Too often; try again later.
    Throttled,
    /// The request makes no sense.
    Malformed,
    /// This node does not do that.
    Role,
}

impl RefusalCode {
    pub(super) const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Refused,
        Self::Full,
        Self::Taken,
        Self::Throttled,
        Self::Malformed,
        Self::Role,
    ];

    /// The code as it is written.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::Full => "full",
            Self::Taken => "taken",
            Self::Throttled => "throttled",
            Self::Malformed => "malformed",
            Self::Role => "role",
        }
    }

    pub(super) fn from_str(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|code| code.as_str() == text)
            .unwrap_or(Self::Refused)
    }
}

impl RefusedCommand {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Register => command::REGISTER,
            Self::Search => command::SEARCH_RESULT,
            Self::Connect => command::INTRODUCE,
        }
    }
}

pub(super) fn build(
    refused: RefusedCommand,
    reply_to: u64,
    code: RefusalCode,
    retry_after_s: Option<u32>,
) -> Builder {
    let b = Builder::command(refused.as_str())
        .reference(seed::RESPONSE, reply_to)
        .text(ours::REFUSAL, code.as_str());
    match retry_after_s {
        Some(seconds) => b.raw(ours::RETRY_AFTER, seconds),
        None => b,
    }
}

pub(super) fn parse(a: &Attributes<'_>, command: RefusedCommand) -> Result<ControlMessage> {
    Ok(ControlMessage::Refused {
        command,
        reply_to: a.reference(seed::RESPONSE)?,
        code: RefusalCode::from_str(a.text(ours::REFUSAL)?),
        retry_after_s: a.optional(ours::RETRY_AFTER, Attributes::seconds)?,
    })
}

pub(super) fn build_channel_closed(channel: u32, code: RefusalCode) -> Builder {
    Builder::command(command::CHANNEL_CLOSED)
        .channel(channel)
        .text(ours::REFUSAL, code.as_str())
}

pub(super) fn parse_channel_closed(a: &Attributes<'_>) -> Result<ControlMessage> {
    Ok(ControlMessage::ChannelClosed {
        channel: a.channel()?,
        code: RefusalCode::from_str(a.text(ours::REFUSAL)?),
    })
}
