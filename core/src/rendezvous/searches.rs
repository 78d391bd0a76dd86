//! Searches of the application: one question to each introducer asked, one event at the end (protocol §6).

use core::time::Duration;
use std::collections::BTreeMap;

use crate::api::{Event, OperationId, SearchEntry, SearchOutcome};
use crate::id::NodeId;
use crate::name::validate_name;
use crate::wire::control::{ControlMessage, RefusalCode};

/// Searches under way.
#[derive(Default)]
pub(super) struct Searches {
    open: BTreeMap<OperationId, Search>,
}

#[derive(Default)]
struct Search {
    waiting: usize,
    answered: usize,
    entries: Vec<SearchEntry>,
    cursor: Option<String>,
    retry_after: Option<Duration>,
}

impl Search {
    fn on_answer(&mut self, introducer: NodeId, answer: ControlMessage) {
        match answer {
            ControlMessage::SearchResult {
                entries, cursor, ..
            } => {
                self.answered += 1;
                self.cursor = self.cursor.take().or(cursor);
                // What can pass for another name is not shown (protocol §2.3).
                let entries = entries.into_iter();
                for (name, id) in entries.filter(|(name, _)| validate_name(name).is_ok()) {
                    let is_same = |known: &SearchEntry| known.id == id && known.name == name;
                    if !self.entries.iter().any(is_same) {
                        self.entries.push(SearchEntry {
                            name,
                            id,
                            introducer,
                        });
                    }
                }
            }
            ControlMessage::Refused {
                code: RefusalCode::Throttled,
                retry_after_s,
                ..
            } => {
                let seconds = u64::from(retry_after_s.unwrap_or(1));
                self.retry_after = Some(Duration::from_secs(seconds));
            }
            _ => {}
        }
    }

    fn into_outcome(self) -> SearchOutcome {
        match (self.answered, self.retry_after) {
            (0, Some(retry_after)) => SearchOutcome::Throttled { retry_after },
            (0, None) => SearchOutcome::Unreachable,
            _ => SearchOutcome::Found {
                entries: self.entries,
                cursor: self.cursor,
            },
        }
    }
}

impl Searches {
    /// A search that so many introducers are asked for; it ends at once where there are none.
    pub(super) fn start(&mut self, operation: OperationId, asked: usize) -> Option<Event> {
        let search = Search {
            waiting: asked,
            ..Search::default()
        };
        self.open.insert(operation, search);
        self.finish(operation)
    }

    /// An introducer answered, or (`None`) will not.
    pub(super) fn on_answer(
        &mut self,
        operation: OperationId,
        introducer: NodeId,
        answer: Option<ControlMessage>,
    ) -> Option<Event> {
        let search = self.open.get_mut(&operation)?;
        search.waiting = search.waiting.saturating_sub(1);
        if let Some(answer) = answer {
            search.on_answer(introducer, answer);
        }
        self.finish(operation)
    }

    fn finish(&mut self, operation: OperationId) -> Option<Event> {
        self.open.get(&operation).filter(|s| s.waiting == 0)?;
        let outcome = self.open.remove(&operation)?.into_outcome();
        Some(Event::SearchDone { operation, outcome })
    }

    /// Searches under way.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}
