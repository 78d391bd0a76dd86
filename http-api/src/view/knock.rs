//! Strangers that knock, as clients see them.

use p2p_core::id::NodeId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::clock::WallClock;
use crate::knocks::Knock;
use crate::words::fingerprint;

/// A stranger that wants to connect and waits for the owner's word.
#[derive(Serialize, ToSchema)]
#[schema(as = Knock)]
pub(crate) struct KnockView {
    /// Its identity.
    pub peer: String,
    /// The identity as eight words, to compare by voice.
    pub fingerprint: Vec<&'static str>,
    /// What it says that it is called: a claim, by which it cannot be addressed.
    pub claimed_name: Option<String>,
    /// The introducer that it asked.
    pub introducer: String,
    /// When it knocked first.
    pub first_at: String,
    /// When it knocked last.
    pub last_at: String,
}

impl KnockView {
    /// Makes the picture.
    pub(crate) fn new(peer: &NodeId, knock: &Knock, clock: WallClock) -> Self {
        Self {
            peer: peer.to_string(),
            fingerprint: fingerprint(peer),
            claimed_name: knock.claimed_name.clone(),
            introducer: knock.introducer.to_string(),
            first_at: clock.rfc3339(knock.first_at),
            last_at: clock.rfc3339(knock.last_at),
        }
    }
}

/// Who knocked.
#[derive(Serialize, ToSchema)]
pub(crate) struct KnockList {
    /// The latest first.
    pub items: Vec<KnockView>,
    /// Always null: there are few.
    pub next: Option<String>,
}
