//! `cr1` and `cr2`: a connect order, the introduction of its target, and the answers to both (protocol §6.2).

use core::net::SocketAddr;

use super::attributes::{Attributes, Result};
use super::builder::Builder;
use super::names::{command, ours, seed};
use super::refusal;
use super::{ControlMessage, RefusedCommand, Target};

pub(super) fn order(reference: u64, target: &Target, channel: u32) -> Builder {
    let b = Builder::command(command::CONNECT).reference(seed::REQUEST, reference);
    match target {
        Target::Name(name) => b.text(seed::PEER, name),
        Target::Id(id) => b.text(seed::PEER, &id.to_string()),
    }
    .channel(channel)
}

pub(super) fn answer(
    reply_to: u64,
    key_record: &[u8],
    name: Option<&String>,
    observed: SocketAddr,
) -> Builder {
    Builder::command(command::INTRODUCE)
        .reference(seed::RESPONSE, reply_to)
        .record(ours::KEY_RECORD, key_record)
        .optional_text(seed::PEER, name)
        .address(observed)
}

pub(super) fn request(
    reference: u64,
    (key_record, name): (&[u8], Option<&String>),
    channel: u32,
    observed: SocketAddr,
    is_neighbour: bool,
) -> Builder {
    let b = Builder::command(command::INTRODUCE)
        .reference(seed::REQUEST, reference)
        .record(ours::KEY_RECORD, key_record)
        .channel(channel)
        .optional_text(seed::FROM, name)
        .address(observed);
    if is_neighbour {
        b.raw(ours::NEIGHBOUR, true)
    } else {
        b
    }
}

pub(super) fn accepted(reply_to: u64) -> Builder {
    Builder::command(command::INTRODUCE).reference(seed::RESPONSE, reply_to)
}

pub(super) fn parse_order(a: &Attributes<'_>) -> Result<ControlMessage> {
    Ok(ControlMessage::ConnectRequest {
        reference: a.reference(seed::REQUEST)?,
        target: a.target()?,
        channel: a.channel()?,
    })
}

pub(super) fn parse(a: &Attributes<'_>) -> Result<ControlMessage> {
    if !a.has(seed::RESPONSE) {
        return Ok(ControlMessage::Introduce {
            reference: a.reference(seed::REQUEST)?,
            key_record: a.key_record()?,
            channel: a.channel()?,
            name: a.optional(seed::FROM, Attributes::name)?,
            observed: a.address()?,
            is_neighbour: a.has(ours::NEIGHBOUR) && a.flag(ours::NEIGHBOUR)?,
        });
    }
    if a.has(ours::REFUSAL) {
        return refusal::parse(a, RefusedCommand::Connect);
    }
    let reply_to = a.reference(seed::RESPONSE)?;
    if !a.has(ours::KEY_RECORD) {
        return Ok(ControlMessage::IntroduceAccepted { reply_to });
    }
    Ok(ControlMessage::ConnectAnswer {
        reply_to,
        key_record: a.key_record()?,
        name: a.optional(seed::PEER, Attributes::name)?,
        observed: a.address()?,
    })
}
