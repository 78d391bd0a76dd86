//! The node's own end of a WebSocket (RFC 6455), as plain values: bytes of the client in, messages out, and back.
//! Framing, masks, pings and the closing handshake are the library's.

use std::io::{self, Read, Write};

use bytes::{Buf as _, Bytes};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

use crate::exchange::Request;
use crate::problem::{Code, Problem};

/// Longest message taken; what is longer ends the connection.
const MESSAGE_BYTES: usize = 64 << 10;
/// Room for what comes in pieces.
const READ_BYTES: usize = 4 << 10;

/// What to answer a request that wants a WebSocket: the value of `Sec-WebSocket-Accept`.
pub(crate) fn accept(request: &Request) -> Result<String, Problem> {
    let version = request.header("sec-websocket-version");
    let key = request.header("sec-websocket-key");
    match key.filter(|_| request.wants_websocket() && version == Some("13")) {
        Some(_) if !request.can_upgrade => {
            let detail =
                "This node's HTTP server cannot hand a connection over to another protocol.";
            Err(Problem::new(Code::UpgradeNotSupported, detail))
        }
        Some(key) => Ok(derive_accept_key(key.as_bytes())),
        None => {
            let detail = "This path is a WebSocket (version 13).";
            let problem = Problem::new(Code::UpgradeRequired, detail);
            let problem = problem.with_header("upgrade", "websocket");
            Err(problem.with_header("sec-websocket-version", "13"))
        }
    }
}

/// Why the node ends a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goodbye {
    /// What it is for is over.
    Over,
    /// A message was longer than what it becomes may be.
    TooLong,
}

/// What is between client and library.
#[derive(Default)]
struct Wire {
    input: Bytes,
    output: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = buffer.len().min(self.input.len());
        if let Some(buffer) = buffer.get_mut(..length) {
            self.input.copy_to_slice(buffer);
        }
        Ok(length)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One WebSocket.
pub(crate) struct Talk {
    socket: WebSocket<Wire>,
    is_over: bool,
}

impl Talk {
    /// Begins after the change of protocol.
    pub(crate) fn new() -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_BYTES))
            .max_frame_size(Some(MESSAGE_BYTES));
        Self {
            socket: WebSocket::from_raw_socket(Wire::default(), Role::Server, Some(config)),
            is_over: false,
        }
    }

    /// The client sent bytes; take all messages out before the next ones.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.socket.get_mut().input = bytes;
    }

    /// The next message, text or not.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        while !self.is_over {
            match self.socket.read() {
                Ok(Message::Binary(bytes)) => return Some(bytes),
                Ok(Message::Text(text)) => return Some(text.into()),
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(Error::Capacity(_)) => self.close(Goodbye::TooLong),
                // Ended by both, or broken: a frame of that was answered by the library.
                Err(_) => self.is_over = true,
            }
        }
        None
    }

    /// Says something to the client.
    pub(crate) fn say(&mut self, bytes: Bytes) {
        // An error says that the client has begun to leave.
        let _ = self.socket.send(Message::Binary(bytes));
    }

    /// Ends it.
    pub(crate) fn close(&mut self, why: Goodbye) {
        let (code, reason) = match why {
            Goodbye::Over => (CloseCode::Away, "disconnected"),
            Goodbye::TooLong => (CloseCode::Size, "too long"),
        };
        let reason = reason.into();
        // An error says that it has ended by itself.
        let _ = self.socket.close(Some(CloseFrame { code, reason }));
        self.is_over = true;
    }

    /// Bytes for the client.
    pub(crate) fn take_output(&mut self) -> Option<Bytes> {
        let _ = self.socket.flush();
        let output = core::mem::take(&mut self.socket.get_mut().output);
        (!output.is_empty()).then(|| output.into())
    }

    /// Whether nothing more is said or heard.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }
}
