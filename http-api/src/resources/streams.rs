//! Streams: open one in full duplex, or attach to either side of one that is there.

use p2p_core::api::{Command, EngineExt, StreamId, StreamRead};
use p2p_core::id::NodeId;

use super::resolve;
use crate::call::Call;
use crate::problem::{Code, Problem};
use crate::reply::{Close, Full, Reply, Sides};
use crate::state::{CLIENT_GONE, Turn};

/// `POST /v1/peers/{peer}/streams`
pub(crate) fn open(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = resolve::peer(turn, call.param(0))?;
    let label = call.label()?;
    let close = close(call)?;
    let stream = turn.node.open_stream(turn.now, peer, label)?;
    attach(turn, call, (peer, stream), Sides::Both, close)
}

/// `GET /v1/peers/{peer}/streams/{id}`
pub(crate) fn read(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let (peer, stream) = named(turn, call)?;
    // Asking for nothing tells whether the stream is there without taking a byte from it.
    let probe = turn.node.read_stream(turn.now, peer, stream, 0)?;
    if let StreamRead::Reset(code) = probe {
        return Err(abandoned(code));
    }
    let close = close(call)?;
    attach(turn, call, (peer, stream), Sides::Read, close)
}

/// `POST /v1/peers/{peer}/streams/{id}`
pub(crate) fn write(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let (peer, stream) = named(turn, call)?;
    // Writing nothing tells whether the sending half is there and open.
    turn.node
        .write_stream(turn.now, peer, stream, bytes::Bytes::new())?;
    attach(turn, call, (peer, stream), Sides::Write, Close::default())
}

/// `POST /v1/peers/{peer}/streams/{id}/taken`
pub(crate) fn taken(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let (peer, stream) = named(turn, call)?;
    match turn.node.read_stream(turn.now, peer, stream, 0)? {
        StreamRead::Finished => {}
        StreamRead::Reset(code) => return Err(abandoned(code)),
        StreamRead::Data(_) | StreamRead::Pending => {
            let detail = "There is more to read before the end, or to come.";
            return Err(Problem::new(Code::StreamNotEnded, detail));
        }
    }
    // What is left is the end.
    turn.node.read_stream(turn.now, peer, stream, 1)?;
    turn.state.unconfirmed.remove(&(peer, stream.0));
    Ok(Full::empty(204).into())
}

/// `DELETE /v1/peers/{peer}/streams/{id}`
pub(crate) fn abandon(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let (peer, stream) = named(turn, call)?;
    turn.node.read_stream(turn.now, peer, stream, 0)?;
    let code = CLIENT_GONE;
    // A half that has ended by itself refuses; that is fine.
    let _ = turn.command(Command::StopStream { peer, stream, code });
    let _ = turn.command(Command::ResetStream { peer, stream, code });
    turn.state.unconfirmed.remove(&(peer, stream.0));
    turn.state.given_up.push((peer, stream));
    Ok(Full::empty(204).into())
}

fn abandoned(code: u64) -> Problem {
    let detail = "The stream was abandoned: by the peer, or by a reader here that went away.";
    Problem::new(Code::StreamNotFound, detail).with_member("reset_code", code)
}

/// What ends the response, and who says that all was taken.
fn close(call: &Call) -> Result<Close, Problem> {
    let with_peer = match call.query.text("until") {
        None | Some("both") => false,
        Some("peer") => true,
        Some(_) => {
            let detail = "A query parameter is wrong.";
            let problem = Problem::new(Code::InvalidParameter, detail);
            return Err(problem.with_error("until", "must be both or peer"));
        }
    };
    let confirmed = call.query.number("confirm") == Some(1);
    Ok(Close {
        with_peer,
        confirmed,
    })
}

fn named(turn: &Turn<'_>, call: &Call) -> Result<(NodeId, StreamId), Problem> {
    let peer = resolve::peer(turn, call.param(0))?;
    let number = call.number_param(1, Code::StreamNotFound)?;
    Ok((peer, StreamId(number)))
}

fn attach(
    turn: &mut Turn<'_>,
    call: &Call,
    (peer, stream): (NodeId, StreamId),
    sides: Sides,
    close: Close,
) -> Result<Reply, Problem> {
    let ends = turn.state.streams.entry((peer, stream.0)).or_default();
    let reads = sides != Sides::Write;
    let writes = sides != Sides::Read;
    if reads && ends.reader.is_some() || writes && ends.writer.is_some() {
        let detail = "Another request uses this side of the stream.";
        return Err(Problem::new(Code::StreamBusy, detail));
    }
    if reads {
        ends.reader = Some(call.id);
    }
    if writes {
        ends.writer = Some(call.id);
    }
    Ok(Reply::Stream {
        peer,
        stream,
        sides,
        close,
    })
}
