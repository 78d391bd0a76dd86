//! What introducers answer, and what it means for links, searches and attempts.

use core::time::Duration;

use super::{Move, Rendezvous};
use crate::api::RegistrationRefusal;
use crate::directory::attempts::AnswerOutcome;
use crate::id::{AttemptId, NodeId};
use crate::identity::KeyRecord;
use crate::purpose::Purpose;
use crate::time::Instant;
use crate::wire::control::{ControlMessage, RefusalCode};

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
            Purpose::Connect { attempt, channel } => {
                let asked = (introducer, attempt, channel);
                self.on_connect_answer(now, asked, answer, verify);
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
            Purpose::Connect { attempt, .. } => {
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
        (introducer, attempt, channel): (NodeId, AttemptId, u32),
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
                (key_record, name)
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
        let outcome = self.attempts.on_answer(now, attempt, introducer, record.id);
        let (AnswerOutcome::Proceed { channel: given } | AnswerOutcome::Spare { channel: given }) =
            outcome
        else {
            return;
        };
        debug_assert_eq!(given, channel, "the attempt asked with this channel");
        self.moves.push_back(Move::Meet {
            record: Box::new(record),
            name,
            introducer,
            channel: given,
            calls: matches!(outcome, AnswerOutcome::Proceed { .. }),
        });
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
