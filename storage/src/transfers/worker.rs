//! Carries orders out, each to its end, on whatever thread it is given.

use std::collections::BTreeMap;
use std::io;

use super::receiving::Receiving;
use super::sending::Sending;
use super::volume::Volume;
use super::words::{FileNews, Order, Reason, TransferId};

/// Tells what came of orders.
pub(super) type Tell<'a> = &'a mut dyn FnMut(FileNews);

enum Job {
    Sending(Sending),
    Receiving(Box<Receiving>),
}

/// Does the work of transfers on one disk.
pub struct FileWorker {
    volume: Box<dyn Volume>,
    jobs: BTreeMap<TransferId, Job>,
}

impl FileWorker {
    /// Works on a disk.
    #[must_use]
    pub fn new(volume: Box<dyn Volume>) -> Self {
        Self {
            volume,
            jobs: BTreeMap::new(),
        }
    }

    /// Does what is ordered. A transfer that fails is told so once, and does nothing more.
    pub fn carry_out(&mut self, order: Order, tell: Tell<'_>) {
        let id = order.id();
        if let Err(reason) = self.step(order, tell) {
            self.jobs.remove(&id);
            tell(FileNews::Failed(id, reason));
        }
    }

    fn step(&mut self, order: Order, tell: Tell<'_>) -> Result<(), Reason> {
        let volume = &*self.volume;
        match order {
            Order::Hash(id, paths) => {
                let job = Sending::hash(volume, id, &paths, tell)?;
                self.jobs.insert(id, Job::Sending(job));
            }
            Order::Expect(id, offer) => {
                let job = Job::Receiving(Box::new(Receiving::new(id, offer)));
                self.jobs.insert(id, job);
            }
            Order::Discard(id) => {
                let destination = match self.jobs.remove(&id) {
                    Some(Job::Receiving(job)) => job.into_destination(),
                    _ => None,
                };
                volume.clear(id, destination.as_deref());
            }
            order => match (self.jobs.get_mut(&order.id()), order) {
                (Some(Job::Sending(job)), Order::Prove(_, token, want)) => {
                    job.prove(volume, token, want, tell)?;
                }
                (Some(Job::Receiving(job)), Order::Next(_)) => job.next(volume, tell)?,
                (Some(Job::Receiving(job)), Order::Store(_, want, proven)) => {
                    job.store(volume, want, &proven, tell)?;
                }
                (Some(Job::Receiving(job)), Order::Accept(_, destination, conflict)) => {
                    job.accept(volume, destination, conflict, tell)?;
                }
                (Some(Job::Receiving(job)), Order::Commit(_)) => job.commit(volume, tell)?,
                // It failed before, and that was told.
                _ => {}
            },
        }
        Ok(())
    }
}

/// What an error of the system means for a transfer.
pub(super) fn refused(error: &io::Error) -> Reason {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    log::warn!("a transfer cannot read or write: {error}");
    if matches!(error.kind(), StorageFull | QuotaExceeded) {
        return Reason::NoSpace;
    }
    Reason::Disk
}
