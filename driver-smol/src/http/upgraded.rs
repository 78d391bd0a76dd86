//! A connection after its change of protocol: bytes both ways, each half with its own end.

use std::net::Shutdown;

use async_channel::Receiver;
use bytes::Bytes;
use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _, future};
use hyper::upgrade::OnUpgrade;
use p2p_http_api::{HttpId, HttpInput, ResponsePart};
use smol::net::TcpStream;
use smol_hyper::rt::FuturesIo;

use super::exchange::HttpHandle;

/// Most bytes read at once.
const PIECE_BYTES: usize = 64 << 10;

/// An exchange whose answer changes the protocol, before hyper has let go of the connection.
pub(crate) struct Upgraded {
    pub(crate) id: HttpId,
    pub(crate) change: OnUpgrade,
    pub(crate) parts: Receiver<ResponsePart>,
    pub(crate) room: Receiver<()>,
}

impl Upgraded {
    /// Carries bytes until both halves have ended, or one breaks.
    pub(crate) async fn carry(self, socket: TcpStream, handle: &HttpHandle) {
        let Self {
            id,
            change,
            parts,
            room,
        } = self;
        let early = match change.await {
            Ok(upgraded) => upgraded
                .downcast::<FuturesIo<TcpStream>>()
                .map_or_else(|_| Bytes::new(), |parts| parts.read_buf),
            Err(error) => {
                log::debug!("a connection broke at its change of protocol: {error}");
                return handle.send(HttpInput::Closed(id));
            }
        };
        let up = read(id, early, socket.clone(), room, handle);
        let down = write(id, socket, parts, handle);
        future::zip(up, down).await;
    }
}

/// Hands over what the client sends, one piece for each permit.
async fn read(
    id: HttpId,
    mut early: Bytes,
    mut socket: TcpStream,
    room: Receiver<()>,
    handle: &HttpHandle,
) {
    let mut piece = vec![0; PIECE_BYTES];
    while room.recv().await.is_ok() {
        if !early.is_empty() {
            handle.send(HttpInput::Body(id, core::mem::take(&mut early)));
            continue;
        }
        match socket.read(&mut piece).await {
            Ok(0) => return handle.send(HttpInput::BodyEnd(id)),
            Ok(length) => {
                let read = piece.get(..length).unwrap_or_default();
                handle.send(HttpInput::Body(id, Bytes::copy_from_slice(read)));
            }
            Err(_) => return handle.send(HttpInput::Closed(id)),
        }
    }
}

/// Writes what comes for the client.
async fn write(
    id: HttpId,
    mut socket: TcpStream,
    parts: Receiver<ResponsePart>,
    handle: &HttpHandle,
) {
    loop {
        match parts.recv().await {
            Ok(ResponsePart::Chunk(chunk)) => {
                if socket.write_all(&chunk).await.is_err() {
                    handle.send(HttpInput::Closed(id));
                    break;
                }
                handle.send(HttpInput::Consumed(id, chunk.len()));
            }
            Ok(ResponsePart::End) => {
                // An error says that the client was quicker.
                let _ = socket.shutdown(Shutdown::Write);
                // The other half may go on; it is over when nobody wants to hear of it.
                while parts.recv().await.is_ok() {}
                break;
            }
            Ok(ResponsePart::Abort | ResponsePart::Head { .. }) | Err(_) => break,
        }
    }
    let _ = socket.shutdown(Shutdown::Both);
}
