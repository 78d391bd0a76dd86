//! Whether a client has gone, seen from the socket and without reading from it, and whether it had read everything.

use std::io;
use std::time::Duration;

use async_io::Timer;
use futures_lite::AsyncReadExt as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use smol::net::TcpStream;

/// Pause between two looks at a connection that moves nothing.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes read for nothing at once.
const PIECE_BYTES: usize = 4 << 10;

/// Waits until the client has closed its side, whatever of it is still unread. A client that closes its side before it
/// has the response has given it up: so hyper holds it too.
pub(crate) async fn hang_up(socket: &TcpStream) {
    loop {
        Timer::after(LOOK).await;
        if has_gone(socket) {
            return;
        }
    }
}

fn has_gone(socket: &TcpStream) -> bool {
    #[cfg(target_os = "linux")]
    let gone = PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR;
    #[cfg(not(target_os = "linux"))]
    let gone = PollFlags::HUP | PollFlags::ERR;
    let mut looked = [PollFd::new(socket, gone)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut looked, Some(&at_once)).is_ok() && looked[0].revents().intersects(gone)
}

/// Waits for the end of a connection that nothing more is written to. Well, where the client closes it: a client that
/// closes with bytes unread makes its system reset the connection instead.
pub(crate) async fn read_to_end(mut socket: TcpStream) -> io::Result<()> {
    let mut piece = [0; PIECE_BYTES];
    while socket.read(&mut piece).await? > 0 {}
    Ok(())
}
