//! Contacts, names, messages and all else that is kept on disk: a thread of its own writes what has been ordered
//! meanwhile in one step, so that no loop waits for a file system and many messages share one sync.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use p2p_http_api::Keep;
use p2p_storage::{Change, Records};

/// Most orders written in one step.
const ORDERS_A_STEP: usize = 256;

type Order = (u64, Vec<Change>);

/// Keeps what it is ordered; all of it is on disk when it has been dropped.
pub struct RecordKeeper {
    orders: Option<Sender<Order>>,
    writer: Option<JoinHandle<()>>,
}

impl RecordKeeper {
    /// Starts the thread that writes; `tell` is called there with each order and whether it is kept.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(
        records: impl Records + 'static,
        tell: impl Fn(u64, bool) + Send + 'static,
    ) -> io::Result<Self> {
        // Unbounded: the surface bounds contacts, names and messages, and each other order has a client or a look-up
        // behind it.
        let (sender, orders) = mpsc::channel();
        let writer = thread::Builder::new()
            .name("p2p-records".to_owned())
            .spawn(move || write(records, &orders, tell))?;
        Ok(Self {
            orders: Some(sender),
            writer: Some(writer),
        })
    }
}

fn write(mut records: impl Records, orders: &Receiver<Order>, tell: impl Fn(u64, bool)) {
    let mut is_told = false;
    while let Ok(first) = orders.recv() {
        let mut step = vec![first];
        step.extend(orders.try_iter().take(ORDERS_A_STEP));
        let all: Vec<Change> = step.iter().flat_map(|(_, c)| c.iter().cloned()).collect();
        let whole = records.write(&all);
        for (order, changes) in step {
            // One that cannot be kept must not spoil the others.
            let kept = whole.is_ok() || records.write(&changes).is_ok();
            tell(order, kept);
        }
        match whole {
            // A full disk is tried again and again; once is enough.
            Err(error) if !is_told => {
                is_told = true;
                log::warn!("cannot write contacts, names and messages: {error}");
            }
            Err(_) => {}
            Ok(()) => is_told = false,
        }
    }
}

impl Keep for RecordKeeper {
    fn keep(&mut self, order: u64, changes: Vec<Change>) {
        if let Some(orders) = &self.orders {
            // The thread ends only with this.
            let _ = orders.send((order, changes));
        }
    }
}

impl Drop for RecordKeeper {
    fn drop(&mut self) {
        self.orders = None;
        if self.writer.take().is_some_and(|w| w.join().is_err()) {
            log::warn!("writing contacts, names and messages failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::SyncSender;
    use std::time::Duration;

    use p2p_core::id::NodeId;
    use p2p_storage::MemoryRecords;

    use super::*;

    #[test]
    fn each_order_hears_whether_it_is_kept() {
        let (told, hears) = mpsc::channel();
        let tell = move |order, kept| told.send((order, kept)).expect("somebody hears");
        let mut keeper = RecordKeeper::start(MemoryRecords::full_after(1), tell).expect("a thread");
        for order in 1..=2 {
            keeper.keep(order, vec![Change::Forget(NodeId::from_bytes([1; 32]))]);
            let heard = hears.recv_timeout(Duration::from_secs(60));
            assert_eq!(heard, Ok((order, order == 1)));
        }
    }

    /// Tells how many changes each write has, and is through with it when that is taken note of.
    struct Slow(SyncSender<usize>);

    impl Records for Slow {
        fn write(&mut self, changes: &[Change]) -> io::Result<()> {
            self.0.send(changes.len()).map_err(io::Error::other)
        }
    }

    #[test]
    fn what_is_ordered_while_the_disk_is_busy_is_written_in_one_step() {
        let (sizes, written) = mpsc::sync_channel(0);
        let mut keeper = RecordKeeper::start(Slow(sizes), |_, _| ()).expect("a thread");
        let change = || vec![Change::MessageDone(1)];
        keeper.keep(1, change());
        let mut counts = Vec::new();
        for order in 2..=100 {
            keeper.keep(order, change());
        }
        while counts.iter().sum::<usize>() < 100 {
            let count = written.recv_timeout(Duration::from_secs(60));
            counts.push(count.expect("a write"));
        }
        assert!(counts.len() <= 2, "{counts:?}");
    }
}
