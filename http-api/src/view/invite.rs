//! Invitations, as clients see them.

use p2p_core::id::{NodeId, encode_z_base_32};
use p2p_storage::{Invite, Join};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::rfc3339_of_unix_ms;

/// What to invite for; all of it may be left out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InviteBody {
    /// What the owner will call whoever follows the link, 1 to 64 bytes; only with one use.
    pub petname: Option<String>,
    /// How many may follow the link, 1 to 256; 1 if absent.
    pub uses: Option<u16>,
    /// How long the link holds, 3,600 to 2,592,000 seconds (30 days); 86,400 if absent.
    pub expires_s: Option<u64>,
}

/// An invitation of this node.
#[derive(Serialize, ToSchema)]
#[schema(as = Invite)]
pub(crate) struct InviteView {
    /// Its id.
    pub id: String,
    /// The link to give away; told once, when the invitation is made.
    pub link: Option<String>,
    /// The link as a QR code, an SVG image; told once.
    pub qr_svg: Option<String>,
    /// What the owner will call whoever follows it.
    pub petname: Option<String>,
    /// How many may follow it, in all.
    pub uses: u16,
    /// How many more may.
    pub uses_left: u16,
    /// When it was made.
    pub made: String,
    /// Until when it holds.
    pub expires: String,
    /// Who has followed it.
    pub taken_by: Vec<String>,
}

impl From<&Invite> for InviteView {
    fn from(invite: &Invite) -> Self {
        Self {
            id: encode_z_base_32(&invite.id),
            link: None,
            qr_svg: None,
            petname: invite.petname.clone(),
            uses: invite.uses,
            uses_left: invite.uses_left(),
            made: rfc3339_of_unix_ms(invite.made_unix_ms),
            expires: rfc3339_of_unix_ms(invite.expires_unix_ms),
            taken_by: invite.taken_by.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Invitations of this node, and those of others that it follows.
#[derive(Serialize, ToSchema)]
pub(crate) struct InviteList {
    /// Those of this node.
    pub items: Vec<InviteView>,
    /// Those of others that have no answer yet.
    pub joining: Vec<JoinView>,
    /// Always null: there are few.
    pub next: Option<String>,
}

/// What to do with somebody else's link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinBody {
    /// The link.
    pub link: String,
    /// What the owner calls the inviter; if absent, the name in the link where nobody else is called so; empty: none.
    pub petname: Option<String>,
    /// How long to wait for the inviter's answer, 0 to 120,000; 20,000 if absent.
    pub timeout_ms: Option<u64>,
}

/// Where a followed link stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Join)]
pub(crate) struct JoinView {
    /// Who invites.
    pub peer: String,
    /// What the owner calls it.
    pub petname: Option<String>,
    /// `joined`: both are contacts of each other. `waiting`: the inviter is called until it answers.
    pub state: &'static str,
    /// Why the last call failed, a code of docs/errors.md.
    pub reason: Option<&'static str>,
    /// Until when the link holds.
    pub expires: Option<String>,
}

impl JoinView {
    /// A link whose inviter has answered.
    pub(crate) fn joined(peer: &NodeId, petname: Option<&str>) -> Self {
        Self {
            peer: peer.to_string(),
            petname: petname.map(ToOwned::to_owned),
            state: "joined",
            reason: None,
            expires: None,
        }
    }

    /// A link whose inviter has not answered yet.
    pub(crate) fn waiting(
        join: &Join,
        petname: Option<&str>,
        reason: Option<&'static str>,
    ) -> Self {
        Self {
            peer: join.peer.to_string(),
            petname: petname.map(ToOwned::to_owned),
            state: "waiting",
            reason,
            expires: Some(rfc3339_of_unix_ms(join.expires_unix_ms)),
        }
    }
}
