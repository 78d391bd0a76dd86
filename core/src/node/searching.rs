//! Searches of this node's application: one question to each introducer asked, one event at the end (protocol §6).

use core::time::Duration;
use std::collections::BTreeMap;

use super::Node;
use crate::api::{
    Accepted, ApiMisuse, Event, IntroducerState, OperationId, SearchEntry, SearchOutcome,
};
use crate::id::{NodeId, PeerKey};
use crate::limits;
use crate::peer::Purpose;
use crate::time::Instant;
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

impl Node {
    /// Asks introducers for names.
    pub(super) fn search(
        &mut self,
        now: Instant,
        query: &str,
        only: Option<NodeId>,
        cursor: Option<String>,
    ) -> Result<Accepted, ApiMisuse> {
        let (what, must) = (
            "the query",
            "must have 3 characters or more that names may have",
        );
        if query.chars().count() < limits::SEARCH_CHARACTERS_MIN
            || !crate::wire::name::is_valid(query)
        {
            return Err(ApiMisuse::InvalidArgument { what, must });
        }
        if self.introducers.is_empty() {
            return Err(ApiMisuse::NoIntroducer);
        }
        if only.is_some_and(|id| self.introducers.iter().all(|i| i.address.id != id)) {
            return Err(ApiMisuse::UnknownIntroducer);
        }
        let operation = self.new_operation();
        let mut search = Search::default();
        let registered: Vec<NodeId> = self
            .introducers
            .iter()
            .filter(|i| only.is_none_or(|id| id == i.address.id))
            .filter(|i| i.link.state() == IntroducerState::Registered)
            .map(|i| i.address.id)
            .collect();
        for id in registered {
            let Some(key) = self.table.key_of(&id) else {
                continue;
            };
            let Some(entry) = self.table.get_mut(key) else {
                continue;
            };
            let (prefix, cursor) = (query.to_owned(), cursor.clone());
            let purpose = Purpose::Search(operation);
            let asked = entry
                .peer
                .ask(now, purpose, limits::CONTROL_LIFE, |reference| {
                    ControlMessage::Search {
                        reference,
                        prefix,
                        cursor,
                    }
                });
            search.waiting += usize::from(asked.is_ok());
            self.agenda.on_touched(key);
        }
        self.searches.open.insert(operation, search);
        self.finish_search(operation);
        Ok(Accepted::Operation(operation))
    }

    pub(super) fn on_search_answer(
        &mut self,
        key: PeerKey,
        operation: OperationId,
        answer: ControlMessage,
    ) {
        let introducer = self.table.get(key).map(|entry| entry.peer.id());
        let search = self.searches.open.get_mut(&operation);
        let (Some(search), Some(introducer)) = (search, introducer) else {
            return;
        };
        search.waiting = search.waiting.saturating_sub(1);
        match answer {
            ControlMessage::SearchResult {
                entries, cursor, ..
            } => {
                search.answered += 1;
                search.cursor = search.cursor.take().or(cursor);
                for (name, id) in entries {
                    if search
                        .entries
                        .iter()
                        .all(|known| known.id != id || known.name != name)
                    {
                        search.entries.push(SearchEntry {
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
                search.retry_after = Some(Duration::from_secs(seconds));
            }
            _ => {}
        }
        self.finish_search(operation);
    }

    pub(super) fn on_search_failed(&mut self, operation: OperationId) {
        if let Some(search) = self.searches.open.get_mut(&operation) {
            search.waiting = search.waiting.saturating_sub(1);
        }
        self.finish_search(operation);
    }

    fn finish_search(&mut self, operation: OperationId) {
        if self
            .searches
            .open
            .get(&operation)
            .is_some_and(|search| search.waiting == 0)
            && let Some(search) = self.searches.open.remove(&operation)
        {
            let outcome = search.into_outcome();
            self.events
                .push_back(Event::SearchDone { operation, outcome });
        }
    }
}
