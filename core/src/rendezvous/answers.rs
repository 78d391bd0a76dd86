//! What introducers answer, and what it means for links, searches and attempts.

use core::time::Duration;

use super::{Move, Rendezvous};
use crate::api::{Event, RegistrationRefusal};
use crate::directory::attempts::{AnswerOutcome, Settled};
use crate::id::{AttemptId, NodeId};
use crate::identity::KeyRecord;
use crate::name::validate_name;
use crate::purpose::Purpose;
use crate::time::Instant;
use crate::wire::control::{ControlMessage, RefusalCode};

/// A peer that an introducer named, and how to meet it.
pub(super) struct Held {
    record: KeyRecord,
    name: Option<String>,
    introducer: NodeId,
    channel: u32,
}

impl Held {
    fn meet(self, calls: bool) -> Move {
        Move::Meet {
            record: Box::new(self.record),
            name: self.name,
            introducer: self.introducer,
            channel: self.channel,
            calls,
        }
    }
}

impl Rendezvous {
    /// An introducer answered. `verify` reads a key record and checks its signature.
    pub(crate) fn on_answer(
        &mut self,
        now: Instant,
        introducer: NodeId,
        purpose: Purpose,
        answer: ControlMessage,
        verify: impl FnOnce(&[u8]) -> Option<KeyRecord>,
    ) {
        self.is_dirty = true;
        match purpose {
            Purpose::Register => self.on_register_answer(now, introducer, answer),
            Purpose::Search(operation) => {
                let ended = self.searches.on_answer(operation, introducer, Some(answer));
                self.moves.extend(ended.map(Move::Tell));
            }
            Purpose::Connect { attempt } => {
                self.on_connect_answer(now, (introducer, attempt), answer, verify);
            }
            Purpose::Introduce { .. } => {}
        }
    }

    /// No answer came in time, or the session ended before.
    pub(crate) fn on_no_answer(&mut self, now: Instant, introducer: NodeId, purpose: Purpose) {
        self.is_dirty = true;
        match purpose {
            Purpose::Register => self.on_register_failed(now, introducer),
            Purpose::Search(operation) => {
                let ended = self.searches.on_answer(operation, introducer, None);
                self.moves.extend(ended.map(Move::Tell));
            }
            Purpose::Connect { attempt } => {
                self.attempts.on_request_timed_out(now, attempt, introducer);
            }
            Purpose::Introduce { .. } => {}
        }
    }

    /// The channel that an introducer gave us leads nowhere: its target does not want us, or no more.
    pub(crate) fn on_channel_closed(
        &mut self,
        now: Instant,
        introducer: NodeId,
        channel: u32,
        code: RefusalCode,
    ) {
        self.is_dirty = true;
        let next = self
            .attempts
            .on_channel_closed(now, introducer, channel, code);
        self.moves.extend(
            next.map(|(peer, introducer, channel)| Move::HandshakeThrough {
                peer,
                introducer,
                channel,
            }),
        );
    }

    /// The question could not be asked: no session stands.
    pub(crate) fn on_unasked(&mut self, now: Instant, introducer: NodeId, purpose: Purpose) {
        match purpose {
            Purpose::Connect { .. } => {
                self.is_dirty = true;
                self.attempts.on_introducer_lost(now, introducer);
            }
            other => self.on_no_answer(now, introducer, other),
        }
    }

    fn on_register_failed(&mut self, now: Instant, introducer: NodeId) {
        if let Some(introducer) = self.introducer_mut(&introducer) {
            introducer.link.on_request_timed_out(now);
        }
    }

    fn on_register_answer(&mut self, now: Instant, id: NodeId, answer: ControlMessage) {
        let Some(introducer) = self.introducer_mut(&id) else {
            return;
        };
        match answer {
            ControlMessage::Registered {
                observed, life_s, ..
            } => {
                let observed = crate::path::canonical(observed);
                let life = Duration::from_secs(u64::from(life_s));
                introducer.link.on_registered(now, observed, life);
                self.attempts.on_introducer_registered(now, id);
                self.wanted.hasten();
                self.moves.push_back(Move::Registered {
                    introducer: id,
                    observed,
                });
            }
            ControlMessage::Refused {
                code,
                retry_after_s,
                ..
            } => {
                let wait = retry_after_s.map(|s| Duration::from_secs(u64::from(s)));
                introducer.link.on_refused(now, refusal(code), wait);
            }
            _ => introducer.link.on_request_timed_out(now),
        }
    }

    fn on_connect_answer(
        &mut self,
        now: Instant,
        (introducer, attempt): (NodeId, AttemptId),
        answer: ControlMessage,
        verify: impl FnOnce(&[u8]) -> Option<KeyRecord>,
    ) {
        let (key_record, name) = match answer {
            ControlMessage::ConnectAnswer {
                key_record,
                name,
                observed: address,
                ..
            } => {
                self.moves.push_back(Move::Observed {
                    introducer,
                    address,
                });
                (key_record, name.filter(|name| validate_name(name).is_ok()))
            }
            ControlMessage::Refused { code, .. } => {
                return self.attempts.on_refused(now, attempt, introducer, code);
            }
            _ => return self.attempts.on_request_timed_out(now, attempt, introducer),
        };
        let Some(record) = verify(&key_record) else {
            return self.attempts.on_request_timed_out(now, attempt, introducer);
        };
        if record.id == self.credentials.id {
            let code = RefusalCode::Refused;
            return self.attempts.on_refused(now, attempt, introducer, code);
        }
        let news = self.tells_of_name(attempt, introducer, record.id);
        self.moves.extend(news.map(Move::Tell));
        let held = |channel| Held {
            record: record.clone(),
            name,
            introducer,
            channel,
        };
        let outcome = self.attempts.on_answer(now, attempt, introducer, record.id);
        match outcome {
            AnswerOutcome::Proceed { channel } => self.moves.push_back(held(channel).meet(true)),
            AnswerOutcome::Spare { channel } => self.moves.push_back(held(channel).meet(false)),
            AnswerOutcome::Held { channel } => {
                self.held.entry(attempt).or_default().push(held(channel));
            }
            AnswerOutcome::Ignored => {}
        }
    }

    /// What the application hears of an answer to a question for a name.
    fn tells_of_name(&self, attempt: AttemptId, introducer: NodeId, peer: NodeId) -> Option<Event> {
        let (name, known) = self.attempts.name_of(attempt)?;
        let name = name.to_owned();
        Some(match known {
            Some(known) if known != peer => Event::NameDiffers {
                name,
                introducer,
                known,
                offered: peer,
            },
            _ => Event::NameFound {
                name,
                introducer,
                peer,
            },
        })
    }

    /// All introducers have said whose a name is, or nobody asks any more.
    pub(super) fn on_settled(&mut self, settled: Settled) {
        let held = self.held.remove(&settled.attempt).unwrap_or_default();
        let Some(chosen) = settled.chosen else {
            return;
        };
        for held in held {
            let calls = held.introducer == chosen;
            self.moves.push_back(held.meet(calls));
        }
    }
}

/// What a refused registration is told as.
const fn refusal(code: RefusalCode) -> RegistrationRefusal {
    match code {
        RefusalCode::Taken => RegistrationRefusal::NameTaken,
        RefusalCode::Full => RegistrationRefusal::Full,
        RefusalCode::Throttled => RegistrationRefusal::Throttled,
        RefusalCode::Role => RegistrationRefusal::NoIntroducer,
        RefusalCode::Malformed => RegistrationRefusal::Malformed,
        RefusalCode::Unknown | RefusalCode::Refused => RegistrationRefusal::Unspecified,
    }
}
