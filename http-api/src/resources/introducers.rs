//! Introducers: list, add, remove.

use p2p_core::api::{Command, IntroducerAddress};

use p2p_storage::{Change, KeptIntroducer};

use super::contacts::keep;
use super::resolve;
use crate::call::{Call, decode_json};
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply};
use crate::state::Turn;
use crate::view::{Introducer, IntroducerBody, Introducers};

/// `GET /v1/introducers`
pub(crate) fn list(turn: &mut Turn<'_>, _call: &Call) -> Result<Reply, Problem> {
    let status = turn.node.status(turn.now);
    let items = status.introducers.iter().map(Introducer::from).collect();
    Ok(Full::json(200, &Introducers { items, next: None }).into())
}

/// `GET /v1/introducers/{id}`
pub(crate) fn show(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let status = resolve::introducer(turn.node, turn, call.param(0))?;
    Ok(Full::json(200, &Introducer::from(&status)).into())
}

/// `POST /v1/introducers`
pub(crate) fn add(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let body: IntroducerBody = decode_json(call)?;
    let address = match body.address.parse::<IntroducerAddress>() {
        Ok(address) => address,
        Err(wrong) => {
            let detail = "A field of the body is wrong.";
            return Err(
                Problem::new(Code::InvalidBody, detail).with_error("/address", wrong.to_string())
            );
        }
    };
    let id = address.id;
    let kept = KeptIntroducer {
        address: address.clone(),
        since_unix_ms: turn.state.clock.unix_ms(turn.now),
    };
    turn.command(Command::AddIntroducer(address))?;
    let status = turn.node.status(turn.now);
    let added = status.introducers.iter().find(|i| i.id == id);
    let full = match added {
        Some(status) => Full::json(201, &Introducer::from(status)),
        None => Full::empty(201),
    };
    let full = full.with_header("location", format!("/v1/introducers/{id}"));
    Ok(keep(turn, vec![Change::Introducer(kept)], full))
}

/// `DELETE /v1/introducers/{id}`
pub(crate) fn remove(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let status = resolve::introducer(turn.node, turn, call.param(0))?;
    turn.command(Command::RemoveIntroducer(status.id))?;
    Ok(keep(turn, vec![Change::Leave(status.id)], Full::empty(204)))
}
