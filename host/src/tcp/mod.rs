//! TCP connections with programs of this machine, for both drivers: one thread waits for all of them (mio), so
//! that neither driver's loop does, and so that their number costs no threads. It carries out what the HTTP surface
//! orders and tells what happened; it knows nothing of what is sent.

mod connection;
mod listener;
mod reactor;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;

use mio::{Poll, Waker};
use p2p_http_api::{SocketNews, SocketOrder, Sockets};
use reactor::{Reactor, WAKER, Woken};

/// The way to the thread; it ends when this is dropped, and all connections with it.
pub struct TcpKeeper {
    orders: Option<Sender<SocketOrder>>,
    waker: Arc<Waker>,
    /// Whether the thread was woken and has not looked yet.
    is_woken: Arc<AtomicBool>,
}

impl TcpKeeper {
    /// Starts the thread; `tell` must not wait for what comes of the news.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn start(tell: impl FnMut(SocketNews) + Send + 'static) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let is_woken = Arc::new(AtomicBool::new(false));
        let (orders, receiver) = mpsc::channel();
        let woken = Woken {
            flag: is_woken.clone(),
            _waker: waker.clone(),
        };
        let reactor = Reactor::new(poll, receiver, woken, Box::new(tell));
        thread::Builder::new()
            .name("p2p-tcp".to_owned())
            .spawn(move || reactor.run())?;
        Ok(Self {
            orders: Some(orders),
            waker,
            is_woken,
        })
    }

    fn wake(&self) {
        if !self.is_woken.swap(true, Ordering::AcqRel)
            && let Err(error) = self.waker.wake()
        {
            log::warn!("the thread for TCP connections cannot be woken: {error}");
        }
    }
}

impl Sockets for TcpKeeper {
    fn carry_out(&mut self, order: SocketOrder) {
        // Unbounded: the surface bounds what it has under way.
        if let Some(orders) = &self.orders
            && orders.send(order).is_err()
        {
            log::warn!("the thread for TCP connections has ended");
        }
        self.wake();
    }
}

impl Drop for TcpKeeper {
    fn drop(&mut self) {
        self.orders = None;
        self.wake();
    }
}

#[cfg(test)]
mod tests;
