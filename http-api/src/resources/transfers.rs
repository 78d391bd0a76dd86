//! Files sent to peers and received from them.

use core::time::Duration;
use std::path::PathBuf;

use p2p_storage::transfers::{Conflict, TransferId};

use super::resolve;
use crate::call::{Call, decode_json};
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply, Wait, WaitFor};
use crate::state::{State, Turn};
use crate::transfers::{Direction, Refusal, Stage, Transfer};
use crate::view::{AcceptBody, TransferBody, TransferList, TransferView};

/// Most paths of one transfer.
const PATHS: usize = 256;

/// Offers that wait for the owner.
fn offers(state: &State) -> impl Iterator<Item = (TransferId, &Transfer)> {
    let waits = |t: &Transfer| t.direction == Direction::In && t.stage == Stage::Offered;
    state.transfers.iter().filter(move |(_, t)| waits(t))
}

/// Whether any offer waits for the owner.
pub(crate) fn has_offers(state: &State) -> bool {
    offers(state).next().is_some()
}

/// The list of offers that wait for the owner.
pub(crate) fn offered(state: &State) -> Full {
    let items = offers(state).map(|(id, transfer)| TransferView::new(state, id, transfer));
    let items = items.collect();
    Full::json(200, &TransferList { items, next: None })
}

/// `GET /v1/transfers`
pub(crate) fn list(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let state = &*turn.state;
    let Some(seconds) = call.query.number("wait") else {
        let items = state
            .transfers
            .iter()
            .map(|(id, t)| TransferView::new(state, id, t));
        let items = items.collect();
        return Ok(Full::json(200, &TransferList { items, next: None }).into());
    };
    if seconds == 0 || has_offers(state) {
        return Ok(offered(state).into());
    }
    Ok(Reply::Wait(Wait {
        what: WaitFor::Offer(call.query.number("anyone") == Some(1)),
        until: turn.now + Duration::from_secs(seconds),
    }))
}

/// `GET /v1/transfers/{id}`
pub(crate) fn show(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let id = id(call)?;
    shown(turn, id, 200)
}

/// `POST /v1/transfers`
pub(crate) fn send(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let body: TransferBody = decode_json(call)?;
    let peer = resolve::peer(turn, &body.peer)?;
    let paths: Vec<PathBuf> = body.paths.iter().map(PathBuf::from).collect();
    if paths.is_empty() || paths.len() > PATHS || !paths.iter().all(|path| path.is_absolute()) {
        let must = "must be 1 to 256 absolute paths";
        return Err(wrong("/paths", must));
    }
    let id = turn
        .state
        .transfers
        .send(turn.now, peer, paths)
        .map_err(refused)?;
    shown(turn, id, 201)
}

/// `POST /v1/transfers/{id}/accept`
pub(crate) fn accept(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let body: AcceptBody = decode_json(call)?;
    let id = id(call)?;
    let out = PathBuf::from(body.out);
    if !out.is_absolute() {
        return Err(wrong("/out", "must be an absolute path"));
    }
    let conflict = match body.conflict.as_deref() {
        None => Conflict::default(),
        Some(word) => Conflict::from_word(word)
            .ok_or_else(|| wrong("/conflict", "must be rename, skip or overwrite"))?,
    };
    turn.state
        .transfers
        .accept(turn.now, id, out, conflict)
        .map_err(refused)?;
    shown(turn, id, 200)
}

/// `POST /v1/transfers/{id}/cancel`
pub(crate) fn cancel(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let id = id(call)?;
    turn.state.transfers.cancel(turn.now, id).map_err(refused)?;
    shown(turn, id, 200)
}

fn id(call: &Call) -> Result<TransferId, Problem> {
    let text = call.param(0);
    let id = text.parse().ok().filter(|_| text.len() == 16);
    id.ok_or_else(|| refused(Refusal::Unknown))
}

fn shown(turn: &Turn<'_>, id: TransferId, status: u16) -> Result<Reply, Problem> {
    let state = &*turn.state;
    let transfer = state
        .transfers
        .get(id)
        .ok_or_else(|| refused(Refusal::Unknown))?;
    Ok(Full::json(status, &TransferView::new(state, id, transfer)).into())
}

fn wrong(field: &str, must: &str) -> Problem {
    Problem::new(Code::InvalidBody, "A field of the body is wrong.").with_error(field, must)
}

fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Unknown => Problem::new(
            Code::TransferNotFound,
            "No transfer of this node has that id.",
        ),
        Refusal::Stage => {
            let detail = "The transfer is over, or has not come so far.";
            Problem::new(Code::TransferState, detail)
        }
        Refusal::Full => {
            let detail = "32 transfers, or 8 with this peer, are not over.";
            Problem::new(Code::LimitReached, detail)
        }
    }
}
