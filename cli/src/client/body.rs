//! Request bodies: all at once, or chunk by chunk through a bounded channel, so that a slow peer slows the reader
//! of standard input down instead of filling memory.

use std::io;

use async_channel::{Receiver, Sender};
use bytes::Bytes;
use futures_lite::StreamExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;

/// Chunks that wait between the writer and the socket.
const CHUNKS: usize = 4;

/// A request body.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Where the chunks of a streaming body go in; dropping it ends the body, an error breaks it off.
pub(crate) type BodySender = Sender<io::Result<Bytes>>;

/// A body that is all there.
pub(crate) fn full(bytes: Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body that comes bit by bit.
pub(crate) fn streaming() -> (BodySender, Body) {
    let (sender, receiver): (_, Receiver<io::Result<Bytes>>) = async_channel::bounded(CHUNKS);
    let frames = receiver.map(|chunk| chunk.map(Frame::data));
    (sender, StreamBody::new(frames).boxed_unsync())
}
