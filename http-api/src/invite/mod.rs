//! Invitations: a link that one person gives another, and what both nodes do with it.
//!
//! The link carries who invites, how that node is reached and a secret that works a bounded number of times. Both sides
//! become contacts: whoever follows the link reaches exactly the identity in it, and shows by the secret that the
//! inviter's owner handed it out. Reaching goes on until the link holds no more, also over restarts, so that the two
//! need not be online at the same moment when one of them joins.

mod joins;
mod link;
mod proof;
mod qr;
mod verdict;

use std::collections::BTreeMap;

use p2p_core::api::RequestId;
use p2p_core::id::NodeId;
use p2p_core::rng::Rng;
use p2p_storage::InviteId;

pub(crate) use joins::{ADDRESS_TIME, Act, Joins};
pub(crate) use link::{ADDRESSES, INTRODUCERS, InviteLink};
pub(crate) use proof::{Redemption, Secret};
pub(crate) use qr::svg;
pub(crate) use verdict::{Refusal, judge};

/// Service at which invitations are taken up.
pub(crate) const SERVICE: &str = "p2p.invite";
/// Most invitations open at once.
pub(crate) const INVITES: usize = 64;
/// Most times that an invitation may be taken up.
pub(crate) const USES: u16 = 256;
/// Most invitations of others that wait for an answer at once.
pub(crate) const JOINS: usize = 64;

/// Invitations in both directions, besides what is kept of them.
pub(crate) struct Meetings {
    /// Those of others that this node follows.
    pub joins: Joins,
    /// Makes secrets.
    pub rng: Rng,
    /// Whose invitation is being written down, by the number of the order.
    pub joining: BTreeMap<u64, NodeId>,
    /// Who gets an answer once it is written down that an invitation is taken up, by the number of the order.
    pub redeeming: BTreeMap<u64, Redeeming>,
}

/// A peer that takes an invitation up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redeeming {
    /// Who.
    pub peer: NodeId,
    /// Its request.
    pub request: RequestId,
    /// Which invitation.
    pub invite: InviteId,
}

impl Meetings {
    /// None under way yet.
    pub(crate) fn new(rng: Rng) -> Self {
        Self {
            joins: Joins::default(),
            rng,
            joining: BTreeMap::new(),
            redeeming: BTreeMap::new(),
        }
    }
}
