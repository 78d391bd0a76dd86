//! Level 1, both directions: requests of the application and of the engine wait here for their answers, and requests
//! that came are executed once and answered (protocol §6.1, §8.1).

use bytes::Bytes;

use super::Asker;
use crate::api::ApiMisuse;
use crate::level::request::{RequestPayload, Requests};
use crate::purpose::Purpose;
use crate::rng::Rng;
use crate::schedule::{Replies, Reply};
use crate::time::{Duration, Instant};
use crate::wire::control::ControlMessage;

/// Requests of ours and of the peer's.
#[derive(Default)]
pub(super) struct Dialogues {
    /// Ours, as a source of frames.
    pub(super) requests: Requests<Asker>,
    /// Answers to the peer's, as a source of frames.
    pub(super) replies: Replies,
}

impl Dialogues {
    /// Dialogues of an association that executes no request from a packet below this number.
    pub(super) fn above(floor_pn: u64) -> Self {
        Self {
            requests: Requests::default(),
            replies: Replies::above(floor_pn),
        }
    }

    /// Asks something; `payload` is made from the reference, which is returned.
    ///
    /// # Errors
    /// `Limit` with too many under way.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        rng: &mut Rng,
        asker: Asker,
        life: Duration,
        payload: impl FnOnce(u64) -> RequestPayload,
    ) -> Result<u64, ApiMisuse> {
        let reference = self.requests.unused_reference(rng);
        let (payload, deadline) = (payload(reference), now + life);
        let started = self
            .requests
            .start(reference, payload, asker, deadline, now);
        started.map(|()| reference).map_err(ApiMisuse::Limit)
    }

    /// Ends a request of the application without waiting for its answer.
    ///
    /// # Errors
    /// `UnknownRequest` where it has none with this reference.
    pub(super) fn cancel(&mut self, reference: u64) -> Result<(), ApiMisuse> {
        match self.asker(reference) {
            Some(Asker::Application) => {
                self.requests.cancel(reference);
                Ok(())
            }
            _ => Err(ApiMisuse::UnknownRequest),
        }
    }

    /// A request came in the packet with the number `pn`; whether to execute it.
    pub(super) fn on_request(&mut self, reference: u64, pn: u64, now: Instant) -> bool {
        self.replies.on_request(reference, pn, now)
    }

    /// Answers a request that came; false where nobody waits for it any more.
    pub(super) fn answer(&mut self, reference: u64, reply: Reply, now: Instant) -> bool {
        self.replies.answer(reference, reply, now)
    }

    /// Answers a control request that came.
    pub(super) fn answer_control(
        &mut self,
        reference: u64,
        message: &ControlMessage,
        now: Instant,
    ) {
        let reply = Reply::Control(Bytes::from(message.to_json()));
        self.replies.answer(reference, reply, now);
    }

    /// An ANSWER came; whether the application waited for it.
    pub(super) fn on_answer(&mut self, reference: u64) -> bool {
        let is_awaited = self.asker(reference) == Some(Asker::Application);
        if is_awaited {
            self.requests.on_answer(reference);
        }
        is_awaited
    }

    /// A control answer came; what the engine wanted it for, if it waited.
    pub(super) fn on_control_answer(&mut self, reference: u64) -> Option<Purpose> {
        let Some(Asker::Engine(purpose)) = self.asker(reference) else {
            return None;
        };
        self.requests.on_answer(reference);
        Some(purpose)
    }

    /// Forgets what nobody can ask for any more; whose requests found no answer in time.
    pub(super) fn on_timeout(&mut self, now: Instant) -> Vec<(u64, Asker)> {
        self.replies.on_timeout(now);
        let expired = self.requests.on_timeout(now).into_iter();
        expired
            .map(|entry| (entry.reference, entry.owner))
            .collect()
    }

    /// The association is over: whose requests find no answer.
    pub(super) fn take_all(&mut self) -> Vec<(u64, Asker)> {
        let all = self.requests.take_all().into_iter();
        all.map(|entry| (entry.reference, entry.owner)).collect()
    }

    /// Whether no request of ours waits.
    pub(super) fn asks_nothing(&self) -> bool {
        self.requests.is_empty()
    }

    /// Whether nothing of the peer's is in work and no answer may have to be repeated.
    pub(super) fn owes_nothing(&self) -> bool {
        self.replies.may_rest()
    }

    fn asker(&self, reference: u64) -> Option<Asker> {
        self.requests.peek(reference).map(|entry| entry.owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    const LIFE: Duration = Duration::from_secs(9);
    const ENGINE: Asker = Asker::Engine(Purpose::Introduce { channel: 1 });

    fn ask(dialogues: &mut Dialogues, rng: &mut Rng, asker: Asker) -> Result<u64, ApiMisuse> {
        let payload = |_| RequestPayload::Control(Bytes::from_static(b"{}"));
        dialogues.ask(Instant::EPOCH, rng, asker, LIFE, payload)
    }

    /// A peer that answers what the engine asked with an application's answer, or the reverse, answers nothing.
    #[test]
    fn an_answer_of_the_wrong_kind_or_to_nothing_ends_no_request() {
        let (mut dialogues, mut rng) = (Dialogues::default(), Rng::from_seed([1; 32]));
        let ours = ask(&mut dialogues, &mut rng, Asker::Application).expect("room");
        let engines = ask(&mut dialogues, &mut rng, ENGINE).expect("room");
        assert!(!dialogues.on_answer(engines) && !dialogues.on_answer(ours ^ engines));
        assert_eq!(dialogues.on_control_answer(ours), None);
        assert_eq!(dialogues.cancel(engines), Err(ApiMisuse::UnknownRequest));
        assert!(dialogues.on_answer(ours));
        assert!(!dialogues.on_answer(ours), "once");
        assert_eq!(
            dialogues.on_control_answer(engines),
            Some(Purpose::Introduce { channel: 1 })
        );
        assert_eq!(dialogues.on_control_answer(engines), None, "once");
        assert!(dialogues.asks_nothing());
    }

    #[test]
    fn every_request_ends_once_answered_cancelled_late_or_cut_off() {
        let (mut dialogues, mut rng) = (Dialogues::default(), Rng::from_seed([1; 32]));
        let mut asked =
            |dialogues: &mut Dialogues| ask(dialogues, &mut rng, Asker::Application).expect("room");
        let cancelled = asked(&mut dialogues);
        dialogues.cancel(cancelled).expect("it waits");
        assert!(!dialogues.on_answer(cancelled), "too late");
        let late = asked(&mut dialogues);
        assert_eq!(dialogues.on_timeout(Instant::EPOCH), []);
        let ended = dialogues.on_timeout(Instant::EPOCH + LIFE);
        assert_eq!(ended, [(late, Asker::Application)]);
        let cut = asked(&mut dialogues);
        assert_eq!(dialogues.take_all(), [(cut, Asker::Application)]);
        assert_eq!(dialogues.take_all(), []);
    }

    #[test]
    fn requests_under_way_are_bounded() {
        let (mut dialogues, mut rng) = (Dialogues::default(), Rng::from_seed([1; 32]));
        let room = (0..2 * limits::REQUESTS_PER_PEER)
            .filter(|_| ask(&mut dialogues, &mut rng, ENGINE).is_ok());
        assert_eq!(room.count(), limits::REQUESTS_PER_PEER);
    }

    /// A repeated request is executed once, however often it comes, and answered whenever it comes again.
    #[test]
    fn a_replayed_request_executes_nothing() {
        let mut dialogues = Dialogues::above(100);
        assert!(
            !dialogues.on_request(1, 99, Instant::EPOCH),
            "from before a rest"
        );
        assert!(dialogues.on_request(1, 100, Instant::EPOCH));
        assert!(!dialogues.on_request(1, 101, Instant::EPOCH));
        let reply = || Reply::Application {
            status: 200,
            body: Bytes::new(),
        };
        assert!(dialogues.answer(1, reply(), Instant::EPOCH));
        assert!(!dialogues.answer(1, reply(), Instant::EPOCH), "answered");
        assert!(!dialogues.answer(2, reply(), Instant::EPOCH), "never asked");
        assert_eq!(dialogues.replies.queued(), 1);
        assert!(!dialogues.owes_nothing());
    }
}
