//! The newest events, numbered, as server-sent events (WHATWG HTML §9.2). A follower is a position in here, not a
//! queue of its own: who falls behind by more than the journal holds is told of the gap and goes on.

use core::cell::OnceCell;
use std::collections::VecDeque;

use p2p_core::api::Channel;
use serde_json::Value;

use crate::encode::RunMark;

/// Events kept.
pub(crate) const JOURNAL_EVENTS: usize = 1_024;

struct Entry {
    kind: &'static str,
    channel: Option<Channel>,
    encode: Box<dyn Fn() -> Value + Send>,
    /// Made when the first follower wants it.
    text: OnceCell<String>,
}

impl Entry {
    fn text(&self) -> &str {
        self.text.get_or_init(|| (self.encode)().to_string())
    }
}

/// Which events a follower wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interest {
    /// Only these kinds; empty for all.
    pub kinds: Vec<String>,
    /// Of what carries a channel or service, only this one.
    pub channel: Option<Channel>,
}

impl Interest {
    fn covers(&self, entry: &Entry) -> bool {
        let kind = self.kinds.is_empty() || self.kinds.iter().any(|k| k == entry.kind);
        let other = |c: &Channel| self.channel.as_ref().is_some_and(|want| want != c);
        kind && !entry.channel.as_ref().is_some_and(other)
    }
}

/// Where a follower goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Number of the next event to give.
    pub next: u64,
    /// A gap to tell of first: what the follower named, and why it cannot go on there.
    pub gap: Option<(String, &'static str)>,
}

/// The newest events.
pub(crate) struct Journal {
    run: RunMark,
    entries: VecDeque<Entry>,
    /// Number of the first entry; numbers start with 1.
    first: u64,
}

impl Journal {
    /// An empty journal of this run.
    pub(crate) const fn new(run: RunMark) -> Self {
        Self {
            run,
            entries: VecDeque::new(),
            first: 1,
        }
    }

    /// Adds an event; `encode` is called when somebody follows, and once at most.
    pub(crate) fn push(
        &mut self,
        kind: &'static str,
        channel: Option<Channel>,
        encode: impl Fn() -> Value + Send + 'static,
    ) {
        if self.entries.len() >= JOURNAL_EVENTS {
            self.entries.pop_front();
            self.first += 1;
        }
        self.entries.push_back(Entry {
            kind,
            channel,
            encode: Box::new(encode),
            text: OnceCell::new(),
        });
    }

    /// Number that the next event will have.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Where a follower starts that has seen `last_id`, or nothing.
    pub(crate) fn position(&self, last_id: Option<&str>) -> Position {
        let Some(last_id) = last_id else {
            return Position {
                next: self.next(),
                gap: None,
            };
        };
        let known = self.run.decode(last_id).filter(|n| *n < self.next());
        let lost = |why| {
            let id: String = last_id
                .chars()
                .filter(|c| !c.is_control())
                .take(40)
                .collect();
            Some((id, why))
        };
        match known {
            Some(number) if number + 1 >= self.first => Position {
                next: number + 1,
                gap: None,
            },
            Some(_) => Position {
                next: self.first,
                gap: lost("overflow"),
            },
            None => Position {
                next: self.first,
                gap: lost("restart"),
            },
        }
    }

    /// The next frame for a follower that wants event `next`: its bytes and where to go on; `None` at the end.
    pub(crate) fn frame(
        &self,
        position: &Position,
        interest: &Interest,
    ) -> Option<(String, Position)> {
        if let Some((from, why)) = &position.gap {
            let data = serde_json::json!({
                "type": "gap",
                "from": from,
                "to": self.run.encode(position.next.saturating_sub(1)),
                "reason": why,
            });
            let next = Position {
                next: position.next,
                gap: None,
            };
            let id = self.run.encode(position.next.saturating_sub(1));
            return Some((format!("id: {id}\nevent: gap\ndata: {data}\n\n"), next));
        }
        if position.next < self.first {
            let lost = Position {
                next: self.first,
                gap: Some((self.run.encode(position.next - 1), "overflow")),
            };
            return self.frame(&lost, interest);
        }
        let mut number = position.next;
        loop {
            let at = usize::try_from(number - self.first).ok()?;
            let entry = self.entries.get(at)?;
            if interest.covers(entry) {
                let id = self.run.encode(number);
                let (kind, text) = (entry.kind, entry.text());
                let frame = format!("id: {id}\nevent: {kind}\ndata: {text}\n\n");
                let next = Position {
                    next: number + 1,
                    gap: None,
                };
                return Some((frame, next));
            }
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const RUN: RunMark = RunMark(0xAB);

    fn journal(events: u64) -> Journal {
        let mut journal = Journal::new(RUN);
        for i in 1..=events {
            journal.push(
                "datagram",
                Some(Channel::Number(1)),
                move || json!({ "i": i }),
            );
        }
        journal
    }

    fn follow(journal: &Journal, mut position: Position) -> Vec<String> {
        let mut frames = Vec::new();
        while let Some((frame, next)) = journal.frame(&position, &Interest::default()) {
            frames.push(frame);
            position = next;
        }
        frames
    }

    #[test]
    fn a_new_follower_hears_what_comes_from_now_on() {
        let mut journal = journal(5);
        let position = journal.position(None);
        assert!(follow(&journal, position.clone()).is_empty());
        journal.push("message", None, move || json!({"text": "a\nb"}));
        let frames = follow(&journal, position);
        let expected = "id: 000000ab-6\nevent: message\ndata: {\"text\":\"a\\nb\"}\n\n";
        assert_eq!(frames, [expected]);
    }

    #[test]
    fn a_known_id_resumes_without_a_gap() {
        let journal = journal(5);
        let position = journal.position(Some(&RUN.encode(3)));
        assert_eq!(follow(&journal, position).len(), 2);
        let position = journal.position(Some(&RUN.encode(5)));
        assert!(follow(&journal, position).is_empty());
    }

    #[test]
    fn what_was_lost_is_told_first() {
        let journal = journal(2_000);
        let frames = follow(&journal, journal.position(Some(&RUN.encode(10))));
        assert!(frames[0].contains("event: gap"));
        assert!(frames[0].contains("\"from\":\"000000ab-10\",\"reason\":\"overflow\""));
        assert!(
            frames[0].contains("\"to\":\"000000ab-976\""),
            "{}",
            frames[0]
        );
        assert!(frames[1].starts_with("id: 000000ab-977\n"));
        assert_eq!(frames.len(), 1 + JOURNAL_EVENTS);
    }

    #[test]
    fn ids_of_another_run_are_a_gap() {
        let journal = journal(3);
        for foreign in ["000000ac-2", "nonsense\nid: 7", "000000ab-99"] {
            let frames = follow(&journal, journal.position(Some(foreign)));
            assert!(frames[0].contains("restart"), "{}", frames[0]);
            assert_eq!(frames[0].lines().count(), 4, "no line smuggled in");
            assert_eq!(frames.len(), 4);
        }
    }

    #[test]
    fn a_slow_follower_is_told_of_its_gap() {
        let mut journal = journal(1);
        let position = journal.position(Some(&RUN.encode(1)));
        for _ in 0..JOURNAL_EVENTS + 5 {
            journal.push("datagram", None, move || json!({}));
        }
        let frames = follow(&journal, position);
        assert!(frames[0].contains("overflow"));
        assert_eq!(frames.len(), 1 + JOURNAL_EVENTS);
    }

    #[test]
    fn what_nobody_follows_is_not_encoded_and_the_rest_once() {
        let count = Arc::new(AtomicUsize::new(0));
        let mut journal = Journal::new(RUN);
        for kind in ["datagram", "message"].repeat(500) {
            let count = count.clone();
            journal.push(kind, None, move || {
                count.fetch_add(1, Ordering::Relaxed);
                json!({})
            });
        }
        assert_eq!(count.load(Ordering::Relaxed), 0, "nobody follows");
        let interest = Interest {
            kinds: vec!["message".to_owned()],
            channel: None,
        };
        for _ in 0..3 {
            let mut position = Position { next: 1, gap: None };
            while let Some((_, next)) = journal.frame(&position, &interest) {
                position = next;
            }
        }
        assert_eq!(
            count.load(Ordering::Relaxed),
            500,
            "once for three followers"
        );
    }

    #[test]
    fn interest_narrows() {
        let mut journal = Journal::new(RUN);
        journal.push("datagram", Some(Channel::Number(1)), move || json!({}));
        journal.push("message", Some(Channel::Number(2)), move || json!({}));
        journal.push("connected", None, move || json!({}));
        let start = Position { next: 1, gap: None };
        let interest = Interest {
            kinds: vec!["connected".to_owned()],
            channel: None,
        };
        let (frame, next) = journal.frame(&start, &interest).unwrap();
        assert!(frame.starts_with("id: 000000ab-3"));
        assert!(journal.frame(&next, &interest).is_none());
        let interest = Interest {
            kinds: Vec::new(),
            channel: Some(Channel::Number(2)),
        };
        let (frame, next) = journal.frame(&start, &interest).unwrap();
        assert!(frame.starts_with("id: 000000ab-2"));
        assert!(
            journal.frame(&next, &interest).is_some(),
            "no channel of its own"
        );
    }
}
