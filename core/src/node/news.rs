//! What the application has not fetched yet. Where it does not fetch, what may be lost is.

use std::collections::VecDeque;

use crate::api::Event;
use crate::limits;

/// Events on their way to the application.
#[derive(Default)]
pub(super) struct News {
    waiting: VecDeque<Event>,
}

impl News {
    /// The next event.
    pub(super) fn poll(&mut self) -> Option<Event> {
        self.waiting.pop_front()
    }

    /// Queues what must be heard.
    pub(super) fn push(&mut self, event: Event) {
        self.waiting.push_back(event);
    }

    /// Queues what may be lost; says whether there was room.
    pub(super) fn push_if_room(&mut self, event: Event) -> bool {
        let has_room = self.waiting.len() < limits::EVENTS_WAITING;
        if has_room {
            self.waiting.push_back(event);
        }
        has_room
    }

    /// Without room a value takes the place of the older one of its key: so they are bounded by the keys, and the
    /// newest is never lost.
    pub(super) fn push_latest(&mut self, event: Event) {
        let is_older = |waiting: &&mut Event| match (&**waiting, &event) {
            (
                Event::LatestReceived {
                    peer: a, key: k, ..
                },
                Event::LatestReceived {
                    peer: b, key: l, ..
                },
            ) => a == b && k == l,
            _ => false,
        };
        let is_full = self.waiting.len() >= limits::EVENTS_WAITING;
        let older = self.waiting.iter_mut().rev().filter(|_| is_full);
        match older.into_iter().find(is_older) {
            Some(older) => *older = event,
            None => self.waiting.push_back(event),
        }
    }

    /// Events waiting.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
