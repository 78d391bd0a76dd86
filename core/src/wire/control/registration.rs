//! `rg`: a registration and its answer (protocol §6.1).

use core::net::SocketAddr;

use super::attributes::{Attributes, Result};
use super::builder::Builder;
use super::names::{command, ours, seed};
use super::refusal;
use super::{ControlMessage, RefusedCommand};

pub(super) fn request(
    reference: u64,
    key_record: &[u8],
    name_record: Option<&Vec<u8>>,
    listed: bool,
) -> Builder {
    let b = Builder::command(command::REGISTER)
        .reference(seed::REQUEST, reference)
        .record(ours::KEY_RECORD, key_record)
        .raw(ours::LISTED, listed);
    match name_record {
        Some(record) => b.record(ours::NAME_RECORD, record),
        None => b,
    }
}

pub(super) fn answer(reply_to: u64, observed: SocketAddr, life_s: u32) -> Builder {
    Builder::command(command::REGISTER)
        .reference(seed::RESPONSE, reply_to)
        .address(observed)
        .raw(ours::LIFE, life_s)
}

pub(super) fn parse(a: &Attributes<'_>) -> Result<ControlMessage> {
    if !a.has(seed::RESPONSE) {
        return Ok(ControlMessage::Register {
            reference: a.reference(seed::REQUEST)?,
            key_record: a.key_record()?,
            name_record: a.optional(ours::NAME_RECORD, Attributes::name_record)?,
            listed: a.flag(ours::LISTED)?,
        });
    }
    if a.has(ours::REFUSAL) {
        return refusal::parse(a, RefusedCommand::Register);
    }
    Ok(ControlMessage::Registered {
        reply_to: a.reference(seed::RESPONSE)?,
        observed: a.address()?,
        life_s: a.seconds(ours::LIFE)?,
    })
}
