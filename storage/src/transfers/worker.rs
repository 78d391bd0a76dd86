//! Carries orders out, each to its end, on whatever thread it is given.

use std::collections::BTreeMap;
use std::io;

use super::receiving::Receiving;
use super::row::Row;
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
            // Its rows and parts stay until the state machine says what becomes of them.
            match self.jobs.get_mut(&id) {
                Some(Job::Receiving(job)) => job.stop(),
                _ => drop(self.jobs.remove(&id)),
            }
            tell(FileNews::Failed(id, reason));
        }
    }

    fn step(&mut self, order: Order, tell: Tell<'_>) -> Result<(), Reason> {
        let volume = &*self.volume;
        match order {
            Order::Hash(id, peer, paths) => {
                let mut row = Row::new(id, peer, id.0);
                row.paths = paths;
                let job = Sending::hash(volume, row, tell)?;
                self.jobs.insert(id, Job::Sending(job));
            }
            Order::Expect(id, peer, number, offer) => {
                let mut row = Row::new(id, peer, number);
                row.offer = offer;
                let job = Job::Receiving(Box::new(Receiving::new(row)));
                self.jobs.insert(id, job);
            }
            Order::Resume(row) => {
                let id = row.id;
                // It is here even where it cannot go on, so that its end clears away what an earlier run left.
                self.jobs
                    .insert(id, Job::Receiving(Box::new(Receiving::new(*row))));
                if let Some(Job::Receiving(job)) = self.jobs.get_mut(&id) {
                    job.resume(volume, tell)?;
                }
            }
            Order::Settle(id, end) => {
                match self.jobs.remove(&id) {
                    Some(Job::Receiving(job)) => job.settle(volume, end),
                    // What an earlier run left cannot be read.
                    _ => volume.forget(id),
                }
            }
            Order::Discard(id) => {
                if let Some(Job::Receiving(job)) = self.jobs.remove(&id) {
                    job.clear(volume);
                }
                volume.clear(id, None);
                volume.forget(id);
            }
            order => match (self.jobs.get_mut(&order.id()), order) {
                (Some(Job::Sending(job)), Order::Prove(_, token, want)) => {
                    job.prove(volume, token, want, tell)?;
                }
                (Some(Job::Receiving(job)), _) if job.is_over() => {}
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
