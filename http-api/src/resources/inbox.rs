//! What arrived: long poll, content of one item, acknowledgement.

use core::time::Duration;

use crate::call::{Call, channel, decode_json};
use crate::encode::RunMark;
use crate::inbox::{Filter, ItemKind};
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply, Wait, WaitFor};
use crate::state::{State, Turn};
use crate::view::{AckBody, Acknowledged, InboxItem, InboxList};

use super::peers::page_size;

/// Content on one page, about; a single larger item still comes whole.
const PAGE_BYTES: usize = 1 << 20;

/// `GET /v1/inbox`
pub(crate) fn list(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let since = match call.query.text("since") {
        Some(text) => cursor(turn.state, text)?,
        None => 0,
    };
    let kind = call.query.text("type").map(|text| item_kind(text, "type"));
    let filter = Filter {
        channel: call.channel()?,
        kind: kind.transpose()?,
    };
    let limit = page_size(call);
    let wait = Duration::from_secs(call.query.number("wait").unwrap_or(0));
    let answer = page(turn.state, since, &filter, limit);
    match answer {
        Some(full) => Ok(full.into()),
        None if wait.is_zero() => Ok(empty_page(call.query.text("since")).into()),
        None => Ok(Reply::Wait(Wait {
            what: WaitFor::Inbox {
                since,
                filter,
                limit,
            },
            until: turn.now + wait,
        })),
    }
}

/// `GET /v1/inbox/{id}`
pub(crate) fn content(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let number = turn.state.own_id(call.param(0), Code::ItemNotFound)?;
    let Some(item) = turn.state.inbox.item(number) else {
        let detail = "The item was acknowledged, was dropped, or never was.";
        return Err(Problem::new(Code::ItemNotFound, detail));
    };
    // As an attachment, so that a browser never takes a peer's bytes for a page of ours.
    let full = Full::bytes(200, "application/octet-stream", item.data.clone())
        .with_header("content-disposition", "attachment");
    Ok(full.into())
}

/// `POST /v1/inbox/ack`
pub(crate) fn acknowledge(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let body: AckBody = decode_json(call)?;
    if !RunMark::well_formed(&body.cursor) {
        let detail = "A field of the body is wrong.";
        return Err(Problem::new(Code::InvalidBody, detail)
            .with_error("/cursor", "must be the id of an inbox item"));
    }
    let kind = body.r#type.as_deref().map(|t| item_kind(t, "/type"));
    let channel = channel(body.channel, body.service.as_deref()).map_err(|(name, must)| {
        let detail = "A field of the body is wrong.";
        Problem::new(Code::InvalidBody, detail).with_error(format!("/{name}"), must)
    });
    let filter = Filter {
        channel: channel?,
        kind: kind.transpose()?,
    };
    // A cursor of an earlier run acknowledges nothing: items have other numbers now.
    let cursor = turn.state.run.decode(&body.cursor).unwrap_or(0);
    let items = turn.state.inbox.acknowledge(cursor, &filter);
    let acknowledged = items.len();
    let full = Full::json(200, &Acknowledged { acknowledged });
    let order = turn.state.discard(items);
    Ok(turn.answer_when_kept(order, full))
}

/// What is there after a cursor; `None` where nothing is.
pub(crate) fn page(state: &State, since: u64, filter: &Filter, limit: usize) -> Option<Full> {
    let found = state.inbox.after(since, filter, limit, PAGE_BYTES);
    let next = found.last().map(|(number, _)| state.run.encode(*number))?;
    let view = |(number, item): &(u64, &crate::inbox::Item)| {
        InboxItem::new(*number, item, state.run, usize::MAX)
    };
    let list = InboxList {
        items: found.iter().map(view).collect(),
        next: Some(next),
    };
    Some(Full::json(200, &list))
}

/// Nothing arrived; the cursor stays where it was.
pub(crate) fn empty_page(since: Option<&str>) -> Full {
    let list = InboxList {
        items: Vec::new(),
        next: since.map(ToOwned::to_owned),
    };
    Full::json(200, &list)
}

/// A cursor as a number; one of an earlier run stands before everything.
fn cursor(state: &State, text: &str) -> Result<u64, Problem> {
    if RunMark::well_formed(text) {
        return Ok(state.run.decode(text).unwrap_or(0));
    }
    let detail = "A query parameter is wrong.";
    let problem = Problem::new(Code::InvalidParameter, detail);
    Err(problem.with_error("since", "must be the id of an inbox item"))
}

fn item_kind(text: &str, pointer: &str) -> Result<ItemKind, Problem> {
    ItemKind::parse(text).ok_or_else(|| {
        let code = if pointer.starts_with('/') {
            Code::InvalidBody
        } else {
            Code::InvalidParameter
        };
        Problem::new(code, "There is no such level.")
            .with_error(pointer, "must be datagram, request, message or stream")
    })
}
