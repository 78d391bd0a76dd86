//! The way back from the engine's thread to whoever waits for the answer to an HTTP request.

use std::sync::mpsc::Sender;

use p2p_http_api::{Client, ResponsePart};

/// What the engine's thread tells a worker.
pub(crate) enum Word {
    /// The next part of the response.
    Part(ResponsePart),
    /// There is room for a piece of the body.
    Room,
}

/// The way back to a worker.
pub(crate) struct ThreadClient {
    // Unbounded: the surface stops where chunks are not reported as consumed.
    words: Sender<Word>,
}

impl ThreadClient {
    pub(crate) fn new(words: Sender<Word>) -> Self {
        Self { words }
    }
}

impl Client for ThreadClient {
    fn on_part(&mut self, part: ResponsePart) {
        // A worker that is gone has reported itself as closed.
        let _ = self.words.send(Word::Part(part));
    }

    fn on_room(&mut self) {
        let _ = self.words.send(Word::Room);
    }
}
