//! Runs seeds on several threads, and ends the program where an engine never comes back from a
//! call: nobody can stop such a thread, but its seed can be told.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use core::time::Duration;

use p2p_simulator::Pulse;

/// Between two looks.
const TICK: Duration = Duration::from_secs(1);
/// Looks without a sign of life after which an engine counts as lost in a loop. No call of an
/// engine takes a second; a machine may be busy.
const LOOKS_MAX: u32 = 60;

/// Which seeds to run, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seeds {
    /// The first.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Threads.
    pub jobs: usize,
    /// Whether a broken promise does not end the run.
    pub keep_going: bool,
}

/// One thread's seed and sign of life.
#[derive(Default)]
struct Worker {
    seed: AtomicU64,
    pulse: Pulse,
}

/// What a watcher saw of one worker.
#[derive(Clone, Copy, Default)]
struct Look {
    count: u64,
    still: u32,
}

impl Look {
    /// Looks once more; whether there was no sign of life for too long.
    fn is_lost(&mut self, count: u64) -> bool {
        self.still = if count == self.count {
            self.still + 1
        } else {
            0
        };
        self.count = count;
        self.still >= LOOKS_MAX
    }
}

impl Seeds {
    /// Plays each seed with `play`, on several threads, and gives each result to `each` as it
    /// comes. Without `keep_going` no seed begins after the first error; all smaller ones have
    /// begun before, so that the smallest one that failed is the same with any number of threads.
    pub(crate) fn run<T: Send, E: Send>(
        self,
        play: impl Fn(u64, &Pulse) -> Result<T, E> + Sync,
        mut each: impl FnMut(u64, Result<T, E>),
    ) {
        let workers: Vec<Worker> = (0..self.jobs.max(1)).map(|_| Worker::default()).collect();
        let (next, is_over) = (AtomicU64::new(self.first), AtomicBool::new(false));
        let end = self.first.saturating_add(self.count);
        let (results, incoming) = mpsc::channel();
        thread::scope(|scope| {
            for worker in &workers {
                let (results, play, next, is_over) = (results.clone(), &play, &next, &is_over);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end {
                            break;
                        }
                        worker.seed.store(seed, Ordering::Relaxed);
                        let result = play(seed, &worker.pulse);
                        if result.is_err() && !self.keep_going {
                            is_over.store(true, Ordering::Relaxed);
                        }
                        if results.send((seed, result)).is_err() {
                            break;
                        }
                    }
                    // A worker at rest is not lost.
                    worker.seed.store(u64::MAX, Ordering::Relaxed);
                });
            }
            drop(results);
            let is_done = AtomicBool::new(false);
            let done = &is_done;
            thread::scope(|scope| {
                let watcher = scope.spawn(|| watch(&workers, done));
                for (seed, result) in incoming {
                    each(seed, result);
                }
                done.store(true, Ordering::Relaxed);
                watcher.thread().unpark();
            });
        });
    }
}

fn watch(workers: &[Worker], is_done: &AtomicBool) {
    let mut looks = vec![Look::default(); workers.len()];
    while !is_done.load(Ordering::Relaxed) {
        thread::park_timeout(TICK);
        for (worker, look) in workers.iter().zip(&mut looks) {
            let seed = worker.seed.load(Ordering::Relaxed);
            if look.is_lost(worker.pulse.count()) && seed != u64::MAX {
                println!("seed {seed}: an engine has not come back from a call for {LOOKS_MAX} s");
                process::exit(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_silence_counts_as_lost() {
        let mut look = Look::default();
        let mut looks = |count: u64| (0..LOOKS_MAX).map(|_| look.is_lost(count)).last();
        assert_eq!(looks(1), Some(false));
        assert_eq!(looks(2), Some(false));
        assert_eq!(looks(2), Some(true));
    }

    #[test]
    fn every_seed_is_played_once_on_any_number_of_threads() {
        for jobs in [1, 3, 8] {
            let seeds = Seeds {
                first: 5,
                count: 20,
                jobs,
                keep_going: true,
            };
            let mut seen = Vec::new();
            let play = |seed: u64, _: &Pulse| {
                if seed.is_multiple_of(2) {
                    Ok(seed)
                } else {
                    Err(seed)
                }
            };
            seeds.run(play, |seed, result| seen.push((seed, result.is_ok())));
            seen.sort_unstable();
            let expected: Vec<_> = (5..25_u64)
                .map(|seed| (seed, seed.is_multiple_of(2)))
                .collect();
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn the_smallest_failing_seed_does_not_depend_on_threads() {
        for jobs in [1, 3, 8] {
            let seeds = Seeds {
                first: 1,
                count: 1_000,
                jobs,
                keep_going: false,
            };
            let mut failed = Vec::new();
            let play = |seed: u64, _: &Pulse| if seed % 10 == 7 { Err(()) } else { Ok(()) };
            seeds.run(play, |seed, result| {
                if result.is_err() {
                    failed.push(seed);
                }
            });
            assert_eq!(failed.iter().min(), Some(&7));
            assert!(failed.len() <= jobs);
        }
    }
}
