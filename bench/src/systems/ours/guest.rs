//! The driving side's applications: a visitor that connects through the introducer, waits for a direct path and plays
//! a workload for a while, and an idle node that only says when it is registered.

use std::time::{Duration, Instant as MachineInstant};

use p2p_core::api::{Command, ConnectTarget, Engine, Event, IntroducerState, PathKind, PathStatus};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use p2p_driver_smol::Application;
use smol::channel::Sender;

use super::play::Driver;
use crate::process::Failure;
use crate::usage;
use crate::workload::Workload;

/// Time until data must flow on a direct path.
const CONNECTING: Duration = Duration::from_secs(15);

/// Runs beside the engine in the client process.
pub(super) enum Guest {
    /// Plays one workload.
    Visitor(Box<Visitor>),
    /// Does nothing once registered.
    Idle(Sender<()>),
}

/// One workload from the connection to its end.
pub(super) struct Visitor {
    workload: Workload,
    target: NodeId,
    duration: Duration,
    give_up_at: Option<Instant>,
    play: Option<Play>,
    failure: Option<String>,
    is_over: bool,
}

struct Play {
    driver: Driver,
    ends_at: Instant,
    started: MachineInstant,
    asked: MachineInstant,
    result: Played,
}

/// What a visitor brings home.
#[derive(Default)]
pub(super) struct Played {
    /// Requests answered.
    pub answered: u64,
    /// Orders refused, and requests without an answer.
    pub failed: u64,
    /// Time that the workload took.
    pub seconds: f64,
    /// CPU seconds of this process before the workload began.
    pub cpu_s_before: f64,
    /// Round-trip times of serial requests.
    pub nanos: Vec<u64>,
}

impl Guest {
    /// Connects to `target` and plays `workload` for so long.
    pub(super) fn visitor(workload: Workload, target: NodeId, duration: Duration) -> Self {
        Self::Visitor(Box::new(Visitor {
            workload,
            target,
            duration,
            give_up_at: None,
            play: None,
            failure: None,
            is_over: false,
        }))
    }

    /// Says when it is registered.
    pub(super) fn idle(registered: Sender<()>) -> Self {
        Self::Idle(registered)
    }

    /// What came of it.
    ///
    /// # Errors
    /// Where the connection failed, or did not become direct in time.
    pub(super) fn finish(self) -> Result<Played, Failure> {
        let Self::Visitor(visitor) = self else {
            return Ok(Played::default());
        };
        match (visitor.failure, visitor.play) {
            (None, Some(play)) => Ok(Played {
                answered: play.driver.answered,
                failed: play.driver.failed,
                seconds: play.started.elapsed().as_secs_f64(),
                ..play.result
            }),
            (failure, _) => Err(Failure(failure.unwrap_or("nothing was played".to_owned()))),
        }
    }
}

impl Visitor {
    fn handle_event(&mut self, now: Instant, node: &mut dyn Engine, event: &Event) {
        match event {
            Event::Introducer {
                state: IntroducerState::Registered,
                ..
            } if self.play.is_none() => {
                let connect = Command::Connect {
                    target: ConnectTarget::Id(self.target),
                    introducer: None,
                    timeout: CONNECTING,
                };
                if let Err(error) = node.handle_command(now, connect) {
                    self.fail(format!("connecting was refused: {error}"));
                }
            }
            Event::ConnectFailed { reason, .. } => self.fail(format!("no connection: {reason:?}")),
            Event::Disconnected { peer, reason } if *peer == self.target => {
                self.fail(format!("disconnected: {reason:?}"));
            }
            Event::Connected { peer, path, .. } | Event::PathChanged { peer, path, .. } => {
                self.on_path(now, *peer, path);
            }
            event => {
                if let Some(play) = &mut self.play {
                    play.handle_event(now, event);
                }
            }
        }
    }

    fn on_path(&mut self, now: Instant, peer: NodeId, path: &PathStatus) {
        if peer == self.target && path.kind == PathKind::Direct && self.play.is_none() {
            let started = MachineInstant::now();
            self.play = Some(Play {
                driver: Driver::new(self.workload, peer, now),
                ends_at: now + self.duration,
                started,
                asked: started,
                result: Played {
                    cpu_s_before: usage::cpu_seconds(),
                    ..Played::default()
                },
            });
        }
    }

    fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
        self.is_over = true;
    }

    fn drained(&mut self, now: Instant, node: &mut dyn Engine) {
        let give_up_at = *self.give_up_at.get_or_insert(now + CONNECTING);
        match &mut self.play {
            Some(play) if play.ends_at <= now => self.is_over = true,
            Some(play) => play.driver.advance(now, node),
            None if give_up_at <= now => self.fail("no direct path in time".to_owned()),
            None => {}
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        match &self.play {
            Some(play) => {
                let next = play.driver.next_timeout();
                Some(next.map_or(play.ends_at, |at| at.min(play.ends_at)))
            }
            None => self.give_up_at,
        }
    }
}

impl Play {
    fn handle_event(&mut self, now: Instant, event: &Event) {
        let answered = self.driver.answered;
        self.driver.handle_event(now, event);
        if self.driver.answered > answered {
            // One after the other: the next is asked in this very turn of the loop.
            let now = MachineInstant::now();
            let nanos = (now - self.asked).as_nanos();
            self.result
                .nanos
                .push(u64::try_from(nanos).unwrap_or(u64::MAX));
            self.asked = now;
        }
    }
}

impl Application for Guest {
    type Input = ();

    fn handle_input(&mut self, _: Instant, _: &mut dyn Engine, (): ()) {}

    fn handle_event(&mut self, now: Instant, node: &mut dyn Engine, event: Event) {
        match self {
            Self::Visitor(visitor) => visitor.handle_event(now, node, &event),
            Self::Idle(registered) => {
                let state = IntroducerState::Registered;
                if matches!(&event, Event::Introducer { state: s, .. } if *s == state) {
                    // The measurement may be over already.
                    let _ = registered.try_send(());
                }
            }
        }
    }

    fn handle_timeout(&mut self, _: Instant, _: &mut dyn Engine) {}

    fn next_timeout(&self) -> Option<Instant> {
        match self {
            Self::Visitor(visitor) => visitor.next_timeout(),
            Self::Idle(_) => None,
        }
    }

    fn drained(&mut self, now: Instant, node: &mut dyn Engine) {
        if let Self::Visitor(visitor) = self {
            visitor.drained(now, node);
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Visitor(visitor) => visitor.is_over,
            Self::Idle(_) => false,
        }
    }
}
