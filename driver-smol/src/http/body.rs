//! Response bodies as hyper asks for them, and word to the surface of what was written or given up.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use async_channel::Receiver;
use bytes::Bytes;
use futures_lite::Stream;
use hyper::body::{Body, Frame, SizeHint};
use p2p_http_api::{HttpId, HttpInput, ResponsePart};

use super::application::HttpClient;
use crate::engine::Handle;

/// Streaming responses of a connection that were written to their end; whether the client has read them shows when the
/// connection ends, or with its next request.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<HttpId>>>);

impl Written {
    fn add(&self, id: HttpId) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(id);
    }

    /// Takes them out.
    pub(crate) fn take(&self) -> Vec<HttpId> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells the surface that the client went away, unless the response was completed.
pub(crate) struct Watch {
    pub(crate) id: HttpId,
    pub(crate) handle: Handle<HttpInput<HttpClient>>,
    pub(crate) complete: bool,
    pub(crate) written: Written,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.complete {
            self.handle.send(HttpInput::Closed(self.id));
        }
    }
}

/// The body of one response.
pub(crate) enum ReplyBody {
    /// All of it.
    Full(Option<Bytes>),
    /// As it comes.
    Streaming {
        parts: Pin<Box<Receiver<ResponsePart>>>,
        watch: Watch,
        /// Bytes handed to hyper and not yet reported.
        unreported_bytes: usize,
        /// Bytes to come, where it is known: hyper tells the client, and cuts what is shorter.
        left_bytes: Option<u64>,
    },
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Full(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Self::Streaming {
                parts,
                watch,
                unreported_bytes,
                left_bytes,
            } => {
                // Hyper asks for more once it has room: what it took before is on its way.
                let bytes = std::mem::take(unreported_bytes);
                if bytes > 0 {
                    watch.handle.send(HttpInput::Consumed(watch.id, bytes));
                }
                match ready!(parts.as_mut().poll_next(context)) {
                    Some(ResponsePart::Chunk(chunk)) => {
                        *unreported_bytes = chunk.len();
                        if let Some(left) = left_bytes {
                            *left = left.saturating_sub(chunk.len() as u64);
                        }
                        Poll::Ready(Some(Ok(Frame::data(chunk))))
                    }
                    Some(ResponsePart::End) => {
                        watch.complete = true;
                        watch.written.add(watch.id);
                        Poll::Ready(None)
                    }
                    Some(ResponsePart::Abort | ResponsePart::Head { .. }) | None => {
                        Poll::Ready(Some(Err(io::Error::other("the response was given up"))))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Self::Streaming { left_bytes, .. } => {
                left_bytes.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}
