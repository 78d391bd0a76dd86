//! Files of transfers, for both drivers: each transfer has a thread of its own while it runs, so that one that hashes a
//! whole disk holds up no other, and none holds up the engine. Their number is bounded by the surface.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use p2p_http_api::Files;
use p2p_storage::transfers::{DiskVolume, FileNews, FileWorker, Order, Reason, TransferId};

type Tell = Box<dyn FnMut(FileNews) + Send>;

/// The way to the threads; they end when this is dropped, each after what it is at.
pub struct FileKeeper {
    volume: DiskVolume,
    tell: Arc<Mutex<Tell>>,
    running: BTreeMap<TransferId, Sender<Order>>,
}

impl FileKeeper {
    /// Works on a disk; `tell` is called on the threads.
    pub fn new(volume: DiskVolume, tell: impl FnMut(FileNews) + Send + 'static) -> Self {
        Self {
            volume,
            tell: Arc::new(Mutex::new(Box::new(tell))),
            running: BTreeMap::new(),
        }
    }

    fn start(&self, id: TransferId) -> std::io::Result<Sender<Order>> {
        let (sender, orders) = mpsc::channel();
        let (volume, tell) = (self.volume.clone(), self.tell.clone());
        let work = move || {
            let mut worker = FileWorker::new(Box::new(volume));
            for order in orders {
                worker.carry_out(order, &mut |news| say(&tell, news));
            }
        };
        let name = format!("p2p-files-{id}");
        thread::Builder::new().name(name).spawn(work)?;
        Ok(sender)
    }
}

fn say(tell: &Mutex<Tell>, news: FileNews) {
    let mut tell = tell.lock().unwrap_or_else(PoisonError::into_inner);
    tell(news);
}

impl Files for FileKeeper {
    fn carry_out(&mut self, order: Order) -> Option<FileNews> {
        let id = order.id();
        let is_last = matches!(order, Order::Discard(_) | Order::Settle(..));
        if !self.running.contains_key(&id) {
            match self.start(id) {
                Ok(sender) => {
                    self.running.insert(id, sender);
                }
                Err(error) => {
                    log::warn!("cannot start a thread: {error}");
                    return Some(FileNews::Failed(id, Reason::Disk));
                }
            }
        }
        // Unbounded: the surface bounds what it has under way.
        if let Some(sender) = self.running.get(&id)
            && sender.send(order).is_err()
        {
            log::warn!("the thread of a transfer has ended");
        }
        if is_last {
            self.running.remove(&id);
        }
        None
    }
}
