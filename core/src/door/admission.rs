//! Whether a caller is let in (protocol §3.7, §3.9): a pure decision on facts, one for every kind of handshake.

use crate::api::{Roles, Strangers};
use crate::identity::KeyRecord;
use crate::time::Instant;

/// What the owner of a node said about callers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// What becomes of peers that the node does not know.
    pub(crate) strangers: Strangers,
    /// What the node does for others: an introducer lets everybody in.
    pub(crate) roles: Roles,
    /// What the node offers, without the bits of the engine (protocol §3.8).
    pub(crate) capabilities: u32,
}

impl Policy {
    /// `XX` shows our key record to whoever knows our id and finds our address: introducers, and nodes that take
    /// strangers, answer it (protocol §3.9).
    pub(super) const fn answers_by_id(&self) -> bool {
        self.roles.introducer || self.strangers.are_admitted()
    }
}

/// What a node knows of a caller; the default is what it knows of a stranger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Whether it is in the node's table.
    pub(crate) is_known: bool,
    /// Whether the owner blocked it.
    pub(crate) is_blocked: bool,
    /// Sequence number of its newest key record; 0 for none.
    pub(crate) newest_sequence: u64,
    /// The association in force; 0 for none.
    pub(crate) association: u64,
    /// Whether a handshake of ours with it is under way.
    pub(crate) is_handshaking: bool,
    /// Whether a handshake of ours was answered so recently that its own must have left before.
    pub(crate) is_unconfirmed_handshake: bool,
    /// When the session came up that this side initiated, if it did.
    pub(crate) initiated_since: Option<Instant>,
}

/// What becomes of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is answered.
    Admit,
    /// It is not.
    Refuse,
    /// Both sides call, and ours has precedence; theirs shows a route by which they can be reached.
    OursFirst,
}

/// Decides on a caller that proved to hold `caller`'s keys. Where two handshakes cross, the one of the larger static
/// key goes on, on both sides.
pub(crate) fn decide(
    policy: &Policy,
    local_static: &[u8; 32],
    caller: &KeyRecord,
    facts: &Facts,
) -> Decision {
    if facts.is_blocked {
        return Decision::Refuse;
    }
    if !facts.is_known {
        return if policy.answers_by_id() {
            Decision::Admit
        } else {
            Decision::Refuse
        };
    }
    if is_rolled_back(caller, facts) {
        return Decision::Refuse;
    }
    if *local_static >= caller.static_key {
        return Decision::Admit;
    }
    if facts.is_handshaking {
        return Decision::OursFirst;
    }
    if facts.is_unconfirmed_handshake {
        return Decision::Refuse;
    }
    Decision::Admit
}

/// Whether the caller shows a key record that it has replaced since: its keys may have been stolen before.
pub(super) const fn is_rolled_back(caller: &KeyRecord, facts: &Facts) -> bool {
    caller.sequence < facts.newest_sequence
}
