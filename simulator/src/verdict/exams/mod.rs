//! Two peers are put to short exams at the end of a world, on a good line but for one thing that an exam breaks at a
//! known moment. Plots ask whether promises are kept at last; exams ask whether the engine does at once what it could
//! put off to some other timer without breaking any: acknowledge, find a loss, repeat, give credit back, follow a peer
//! that moved, say goodbye. Each world takes a few of them, by its seed; a campaign counts which were taken.

mod bottleneck;
mod credit;
mod ends;
mod loss;
mod moves;
mod silence;
#[cfg(test)]
mod spoilt;

use core::time::Duration;

use p2p_core::api::{Event, MessageId, PathKind, RequestId, RequestOutcome};
use p2p_core::rng::Rng;

use crate::link::Link;
use crate::oracle::{Violation, on_wire};
use crate::units::{ms, secs};
use crate::world::{StreamHandle, Who, World};

/// One way of a host's link while exams are taken: two of them make 40 ms, the way through an introducer 80 ms.
const HALF_WAY: Duration = ms(20);
/// How many exams a world takes.
const TAKEN: usize = 3;

/// Gives unique content of a length.
pub type Payload<'p> = &'p mut dyn FnMut(usize) -> Vec<u8>;

/// Who is examined, and where.
pub struct Sitting<'s> {
    /// The world, healed and at rest.
    pub world: &'s mut World,
    /// Two peers that are connected.
    pub pair: (Who, Who),
    /// Another peer.
    pub third: Who,
    /// Gives unique content of a length.
    pub payload: Payload<'s>,
}

type Exam = fn(&mut Sitting<'_>) -> Result<(), Violation>;

/// Every exam with its name.
const EXAMS: [(&str, Exam); 16] = [
    ("prompt", loss::prompt),
    ("tail", loss::tail),
    ("gap", loss::gap),
    ("lost answer", loss::lost_answer),
    ("blackout", silence::blackout),
    ("detour", silence::detour),
    ("small datagrams", bottleneck::small_datagrams),
    ("two flows", bottleneck::two_flows),
    ("many messages", credit::many_messages),
    ("much", credit::much),
    ("lost credit", credit::lost_credit),
    ("moved", moves::moved),
    ("moved unawares", moves::moved_unawares),
    ("goodbye", ends::goodbye),
    ("restart", ends::restart),
    ("renewal", ends::renewal),
];

/// Names of all exams.
#[must_use]
pub fn exam_names() -> Vec<&'static str> {
    EXAMS.iter().map(|(name, _)| *name).collect()
}

/// Lets the pair take a few exams that `rng` picks; gives their names.
///
/// # Errors
/// The exam that was failed, and how.
pub fn examine(sitting: &mut Sitting<'_>, rng: &mut Rng) -> Result<Vec<&'static str>, Violation> {
    let first = rng.below(EXAMS.len() as u64) as usize;
    let mut taken = Vec::new();
    for n in 0..TAKEN {
        // Five has no factor in common with the number of exams.
        let (name, exam) = EXAMS[(first + n * 5) % EXAMS.len()];
        sitting.sit(name, exam)?;
        taken.push(name);
    }
    Ok(taken)
}

impl Sitting<'_> {
    /// Takes one exam on a good line.
    fn sit(&mut self, name: &str, exam: Exam) -> Result<(), Violation> {
        let (a, b) = self.pair;
        let told = |world: &World, what: Violation| {
            format!("{name}: {} and {}: {what}", world.name(a), world.name(b))
        };
        self.warm_up().map_err(|what| told(self.world, what))?;
        exam(self).map_err(|what| told(self.world, what))?;
        match self.world.violations.first() {
            Some(violation) => Err(violation.clone()),
            None => Ok(()),
        }
    }

    /// An ideal line everywhere, a connection, and a round-trip time that both know.
    fn warm_up(&mut self) -> Result<(), Violation> {
        let (a, b) = self.pair;
        for who in self.world.everybody() {
            self.world.set_link(who, Link::with_latency(HALF_WAY));
        }
        self.meet()?;
        for _ in 0..6 {
            for (from, to) in [(a, b), (b, a)] {
                let request = self.ask(from, to)?;
                self.answered(from, request, secs(10))?;
            }
        }
        self.world.run_for(ms(500));
        Ok(())
    }

    /// Connects the pair where it is not.
    fn meet(&mut self) -> Result<(), Violation> {
        let (a, b) = self.pair;
        let has_met = |w: &World| w.is_connected(a, b) && w.is_connected(b, a);
        for _ in 0..3 {
            if has_met(self.world) {
                return Ok(());
            }
            let tried = self.world.try_connect(a, b);
            tried.map_err(|e| format!("connecting is refused: {e}"))?;
            let _ = self.world.run_until(has_met).or_after(secs(25));
        }
        Err("they do not connect".to_owned())
    }

    /// The round-trip time of the worse of both ways.
    fn round_trip(&self) -> Duration {
        let (a, b) = self.pair;
        match self.world.is_direct(a, b) && self.world.is_direct(b, a) {
            true => HALF_WAY * 4,
            false => HALF_WAY * 8,
        }
    }

    /// Whether neither holds another direct path beside the one in use, as after moves.
    fn has_one_way(&self) -> bool {
        let (a, b) = self.pair;
        [(a, b), (b, a)].into_iter().all(|(from, to)| {
            let status = self.world.peer_status(from, to);
            let others = status.map(|status| status.alternatives).unwrap_or_default();
            others.iter().all(|path| path.kind != PathKind::Direct)
        })
    }

    /// Nothing that the host sends leaves, or does again.
    fn mute(&mut self, who: Who, is_mute: bool) {
        let [up, _] = self.world.links_mut(who);
        up.up = !is_mute;
    }

    /// Bytes of a stream that have come in at its reader.
    fn came(&self, reader: Who, stream: StreamHandle) -> u64 {
        let opener = self.world.id(stream.opener);
        let app = self.world.app(reader);
        let ends = app.streams_from(opener).into_iter().rev();
        let mut same = ends.filter(|end| on_wire(*end) == on_wire(stream.id));
        same.next()
            .map_or(0, |end| app.received(opener, end).len() as u64)
    }

    fn ask(&mut self, from: Who, to: Who) -> Result<RequestId, Violation> {
        let body = (self.payload)(60);
        let asked = self.world.send_request(from, to, body, secs(20));
        asked.map_err(|e| format!("a request is refused: {e}"))
    }

    fn answered(&mut self, from: Who, request: RequestId, most: Duration) -> Result<(), Violation> {
        let done = self
            .world
            .run_until(|w| w.app(from).requests.contains_key(&request))
            .or_after(most);
        match (done, self.world.app(from).requests.get(&request)) {
            (Some(_), Some(RequestOutcome::Answered(_))) => Ok(()),
            (_, came) => Err(format!("a request came to {came:?} within {most:?}")),
        }
    }

    fn tell(&mut self, from: Who, to: Who, len: usize) -> Result<MessageId, Violation> {
        let data = (self.payload)(len);
        let told = self.world.send_message(from, to, 1, data);
        told.map_err(|e| format!("a message is refused: {e}"))
    }

    /// Waits for messages of `from` to `to` to be delivered.
    fn delivered(
        &mut self,
        (from, to): (Who, Who),
        messages: &[MessageId],
        most: Duration,
    ) -> Result<(), Violation> {
        let peer = self.world.id(to);
        let mut left = messages.to_vec();
        let done = self
            .world
            .run_until(|w| {
                let sent = &w.app(from).sent_messages;
                left.retain(|message| sent.get(&(peer, *message)) != Some(&Ok(())));
                left.is_empty()
            })
            .or_after(most);
        match done {
            Some(_) => Ok(()),
            None => Err(format!(
                "{} messages are not delivered within {most:?}",
                left.len()
            )),
        }
    }

    /// Waits for a host to be told something.
    fn told(
        &mut self,
        who: Who,
        what: &str,
        is_it: impl Fn(&Event) -> bool,
        most: Duration,
    ) -> Result<(), Violation> {
        let since = self.world.now();
        let done = self
            .world
            .run_until(|w| {
                let events = w.app(who).events.iter().rev();
                let mut fresh = events.take_while(|(at, _)| *at >= since);
                fresh.any(|(_, event)| is_it(event))
            })
            .or_after(most);
        done.map(|_| ()).ok_or_else(|| {
            format!(
                "{} does not hear of {what} within {most:?}",
                self.world.name(who)
            )
        })
    }
}
