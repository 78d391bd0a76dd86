//! Messages that we send, and where they stand.

use core::time::Duration;

use p2p_core::api::EngineExt;

use super::resolve;
use crate::call::Call;
use crate::outbox::{OUTBOX_MESSAGES, State as Delivery};
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply, Wait, WaitFor};
use crate::state::{State, Turn};
use crate::view::MessageView;

/// `POST /v1/peers/{peer}/messages`
pub(crate) fn send(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = resolve::peer(turn, call.param(0))?;
    if !turn.state.outbox.make_room() {
        let detail = format!("{OUTBOX_MESSAGES} messages are on their way already.");
        return Err(
            Problem::new(Code::LimitReached, detail).with_retry_after(Duration::from_secs(1))
        );
    }
    let label = call.label()?;
    let (data, deadline) = (call.body.clone(), call.duration_ms("timeout_ms"));
    let message = turn
        .node
        .send_message(turn.now, peer, label.clone(), data, deadline)?;
    let outbox = &mut turn.state.outbox;
    let number = outbox.push(turn.now, peer, message, label, call.body.len());
    match call.prefer_wait() {
        Some(wait) if !wait.is_zero() => Ok(Reply::Wait(Wait {
            what: WaitFor::Message(number),
            until: turn.now + wait,
        })),
        _ => Ok(created(turn.state, number).into()),
    }
}

/// `GET /v1/messages/{id}`
pub(crate) fn show(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let number = turn.state.own_id(call.param(0), Code::MessageNotFound)?;
    let Some(sent) = turn.state.outbox.message(number) else {
        let detail = "The message is unknown or its state is no longer kept.";
        return Err(Problem::new(Code::MessageNotFound, detail));
    };
    let open = sent.state == Delivery::Queued;
    match call.prefer_wait() {
        Some(wait) if open && !wait.is_zero() => Ok(Reply::Wait(Wait {
            what: WaitFor::Message(number),
            until: turn.now + wait,
        })),
        _ => {
            let view = MessageView::new(number, sent, turn.state.run, turn.state.clock);
            Ok(Full::json(200, &view).into())
        }
    }
}

/// The answer to a message sent: where it stands now.
pub(crate) fn created(state: &State, number: u64) -> Full {
    let Some(sent) = state.outbox.message(number) else {
        let detail = "The message's state is no longer kept.";
        return Problem::new(Code::MessageNotFound, detail).into();
    };
    let view = MessageView::new(number, sent, state.run, state.clock);
    let location = format!("/v1/messages/{}", view.id);
    Full::json(201, &view).with_header("location", location)
}
