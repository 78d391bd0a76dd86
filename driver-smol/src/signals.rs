//! Ctrl-C and the polite kill.

use std::io;

use async_signal::{Signal, Signals};
use futures_lite::StreamExt;

/// Waits until the user or the system asks this process to end.
///
/// # Errors
/// Where the system lets no signal be caught.
pub async fn shutdown_signal() -> io::Result<()> {
    let mut signals = Signals::new(wanted())?;
    while let Some(signal) = signals.next().await {
        if signal.is_ok() {
            break;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn wanted() -> &'static [Signal] {
    &[Signal::Int, Signal::Term, Signal::Hup]
}

#[cfg(not(unix))]
fn wanted() -> &'static [Signal] {
    &[Signal::Int]
}
