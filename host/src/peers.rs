//! Known peers on disk: a thread of its own writes the newest state of the book, one write at a time, so that no loop
//! waits for a file system.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::{io, mem};

use p2p_storage::{PeerBook, PeerRecord};

/// Keeps known peers; what was inserted is on disk when it has been dropped.
pub struct PeerKeeper {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

type Answer = Box<dyn FnOnce(bool) + Send>;

struct State {
    book: PeerBook,
    changed: bool,
    /// Who wants to hear whether the newest state is on disk.
    waiting: Vec<Answer>,
    /// The last write failed.
    failed: bool,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The book is whole at every step, so one that a panic left behind is as good.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes until the end, each time what changed meanwhile.
    fn write(&self) {
        let mut state = self.lock();
        loop {
            if state.changed {
                state.changed = false;
                let snapshot = state.book.snapshot();
                let waiting = mem::take(&mut state.waiting);
                drop(state);
                let kept = snapshot.write();
                self.lock().failed = !kept;
                for answer in waiting {
                    answer(kept);
                }
                state = self.lock();
            } else if state.ended {
                return;
            } else {
                state = self
                    .news
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl PeerKeeper {
    /// Starts the thread that writes `book`.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(book: PeerBook) -> io::Result<Self> {
        let state = Mutex::new(State {
            book,
            changed: false,
            waiting: Vec::new(),
            failed: false,
            ended: false,
        });
        let shared = Arc::new(Shared {
            state,
            news: Condvar::new(),
        });
        let work = shared.clone();
        let writer = thread::Builder::new()
            .name("p2p-peers".to_owned())
            .spawn(move || work.write())?;
        Ok(Self {
            shared,
            writer: Some(writer),
        })
    }

    /// Takes a peer in, to be written soon; `answer` is called with whether it is on disk, from the writer's
    /// thread, or at once where it was there before.
    pub fn insert(&self, peer: PeerRecord, answer: impl FnOnce(bool) + Send + 'static) {
        let mut state = self.shared.lock();
        if state.book.insert(peer) || state.failed {
            state.waiting.push(Box::new(answer));
            state.changed = true;
            self.shared.news.notify_one();
        } else {
            drop(state);
            answer(true);
        }
    }
}

impl Drop for PeerKeeper {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.news.notify_one();
        if self.writer.take().is_some_and(|w| w.join().is_err()) {
            log::warn!("writing known peers failed");
        }
    }
}
