//! Streams: open one in full duplex, or attach to either side of one that is there.

use p2p_core::api::{EngineExt, StreamId, StreamRead};
use p2p_core::id::NodeId;

use super::resolve;
use crate::call::Call;
use crate::problem::{Code, Problem};
use crate::reply::{Reply, Sides};
use crate::state::Turn;

/// `POST /v1/peers/{peer}/streams`
pub(crate) fn open(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = resolve::peer(turn, call.param(0))?;
    let label = call.label()?;
    let stream = turn.node.open_stream(turn.now, peer, label)?;
    attach(turn, call, peer, stream, Sides::Both)
}

/// `GET /v1/peers/{peer}/streams/{id}`
pub(crate) fn read(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let (peer, stream) = named(turn, call)?;
    // Asking for nothing tells whether the stream is there without taking a byte from it.
    let probe = turn.node.read_stream(turn.now, peer, stream, 0)?;
    if let StreamRead::Reset(code) = probe {
        let detail = "The peer abandoned the stream.";
        return Err(Problem::new(Code::StreamNotFound, detail).with_member("reset_code", code));
    }
    attach(turn, call, peer, stream, Sides::Read)
}

/// `POST /v1/peers/{peer}/streams/{id}`
pub(crate) fn write(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let (peer, stream) = named(turn, call)?;
    // Writing nothing tells whether the sending half is there and open.
    turn.node
        .write_stream(turn.now, peer, stream, bytes::Bytes::new())?;
    attach(turn, call, peer, stream, Sides::Write)
}

fn named(turn: &Turn<'_>, call: &Call) -> Result<(NodeId, StreamId), Problem> {
    let peer = resolve::peer(turn, call.param(0))?;
    let number = call.number_param(1, Code::StreamNotFound)?;
    Ok((peer, StreamId(number)))
}

fn attach(
    turn: &mut Turn<'_>,
    call: &Call,
    peer: NodeId,
    stream: StreamId,
    sides: Sides,
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
    })
}
