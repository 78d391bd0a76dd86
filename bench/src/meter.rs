//! Counts what arrives. The receiving code only adds to two counters; a thread beside it looks at them every 10 ms
//! and keeps the window from the first arrival to the last, in time and in CPU seconds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::sample::Figures;
use crate::usage;

/// How often the counters are looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// What has arrived so far.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    bytes: AtomicU64,
    count: AtomicU64,
    window: Mutex<Option<Window>>,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Instant,
    cpu_s: f64,
    bytes: u64,
    count: u64,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    first: Reading,
    last: Reading,
}

impl Meter {
    /// A meter with its watching thread.
    pub(crate) fn start() -> Arc<Self> {
        let meter = Arc::new(Self::default());
        let watched = Arc::downgrade(&meter);
        thread::spawn(move || {
            while let Some(meter) = watched.upgrade() {
                meter.look();
                drop(meter);
                thread::sleep(INTERVAL);
            }
        });
        meter
    }

    /// So many bytes arrived, in so many units (datagrams, requests, reads).
    pub(crate) fn add(&self, bytes: u64, count: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.count.fetch_add(count, Ordering::Relaxed);
    }

    /// All bytes and units so far.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (of(&self.bytes), of(&self.count))
    }

    fn look(&self) {
        let count = self.count.load(Ordering::Relaxed);
        let Ok(mut window) = self.window.lock() else {
            return;
        };
        if count == window.map_or(0, |w| w.last.count) {
            return;
        }
        let last = Reading {
            at: Instant::now(),
            cpu_s: usage::cpu_seconds(),
            bytes: self.bytes.load(Ordering::Relaxed),
            count,
        };
        let first = window.map_or(last, |w| w.first);
        *window = Some(Window { first, last });
    }

    /// The window from the first arrival to the last; empty where nothing arrived.
    pub(crate) fn figures(&self) -> Figures {
        let window = self.window.lock().ok().and_then(|w| *w);
        let Some(Window { first, last }) = window else {
            return Figures::default();
        };
        Figures::default()
            .with("bytes", (last.bytes - first.bytes) as f64)
            .with("count", (last.count - first.count) as f64)
            .with("seconds", (last.at - first.at).as_secs_f64())
            .with("cpu_s", last.cpu_s - first.cpu_s)
    }
}
