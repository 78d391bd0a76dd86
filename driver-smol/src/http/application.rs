//! The surface as the application of an engine loop, and the channels back to each connection.

use async_channel::{Receiver, Sender};
use p2p_core::api::{Engine, Event};
use p2p_core::time::Instant;
use p2p_host::call_back;
use p2p_http_api::{Client, Exchanges, Files, HttpInput, Keep, ResponsePart, Sockets, Surface};

use crate::application::{Application, Work};

/// The way back to the task that serves one exchange.
pub struct HttpClient {
    parts: Sender<ResponsePart>,
    room: Sender<()>,
}

impl HttpClient {
    /// A client, its response parts, and its permits to send one piece of body each.
    pub(crate) fn new() -> (Self, Receiver<ResponsePart>, Receiver<()>) {
        // Unbounded: the surface stops where chunks are not reported as consumed.
        let (parts, parts_receiver) = async_channel::unbounded();
        let (room, room_receiver) = async_channel::bounded(1);
        (Self { parts, room }, parts_receiver, room_receiver)
    }
}

impl Client for HttpClient {
    fn on_part(&mut self, part: ResponsePart) {
        // A connection that is gone reports itself as closed.
        let _ = self.parts.try_send(part);
    }

    fn on_room(&mut self) {
        let _ = self.room.try_send(());
    }
}

/// Serves the HTTP surface.
pub struct HttpApplication {
    exchanges: Exchanges<HttpClient>,
}

impl HttpApplication {
    /// Wraps a surface.
    #[must_use]
    pub fn new(surface: Surface) -> Self {
        Self {
            exchanges: Exchanges::new(surface),
        }
    }
}

impl HttpApplication {
    /// Has contacts and names kept; the keeper tells with [`HttpInput::Kept`].
    pub fn set_keeper(&mut self, keeper: impl Keep + 'static) {
        self.exchanges.set_keeper(Box::new(keeper));
    }

    /// Has files read and written for transfers; told with [`HttpInput::Files`].
    pub fn set_files(&mut self, files: impl Files + 'static) {
        self.exchanges.set_files(Box::new(files));
    }

    /// Has TCP connections to programs carried out; told with [`HttpInput::Socket`].
    pub fn set_sockets(&mut self, sockets: impl Sockets + 'static) {
        self.exchanges.set_sockets(Box::new(sockets));
    }
}

impl Application for HttpApplication {
    type Input = HttpInput<HttpClient>;

    fn handle_input(&mut self, now: Instant, node: &mut dyn Engine, input: Self::Input) {
        self.exchanges.handle_input(now, node, input);
    }

    fn handle_event(&mut self, now: Instant, node: &mut dyn Engine, event: Event) {
        self.exchanges.handle_event(now, node, event);
    }

    fn handle_timeout(&mut self, now: Instant, node: &mut dyn Engine) {
        self.exchanges.handle_timeout(now, node);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.exchanges.next_timeout()
    }

    fn poll_work(&mut self) -> Option<Work<Self::Input>> {
        let callback = self.exchanges.poll_callback()?;
        Some(Box::new(move || {
            HttpInput::CalledBack(callback.id, call_back(&callback))
        }))
    }

    fn drained(&mut self, now: Instant, node: &mut dyn Engine) {
        self.exchanges.drain(now, node);
    }
}
