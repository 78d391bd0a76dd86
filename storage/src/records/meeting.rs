//! How people meet: invitations that this node gave out, those of others that it took up, and introducers that came
//! with them.

use core::net::SocketAddr;

use p2p_core::api::IntroducerAddress;
use p2p_core::id::NodeId;

/// Length of an invitation's id, bytes.
pub const INVITE_ID_BYTES: usize = 16;

/// Names an invitation; made of its secret, and no way back to it.
pub type InviteId = [u8; INVITE_ID_BYTES];

/// An invitation that this node gave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Its id.
    pub id: InviteId,
    /// What only a holder of the link can know; the link's own secret is not kept.
    pub key: [u8; 32],
    /// How many peers may take it up, in all.
    pub uses: u16,
    /// What the owner will call whoever takes it up.
    pub petname: Option<String>,
    /// When it was made, ms since 1970.
    pub made_unix_ms: u64,
    /// Until when it holds, ms since 1970.
    pub expires_unix_ms: u64,
    /// Who has taken it up, in order.
    pub taken_by: Vec<NodeId>,
}

impl Invite {
    /// How many more may take it up.
    #[must_use]
    pub fn uses_left(&self) -> u16 {
        let taken = u16::try_from(self.taken_by.len()).unwrap_or(u16::MAX);
        self.uses.saturating_sub(taken)
    }
}

/// Somebody else's invitation that this node took up and has no answer to yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// Who invites.
    pub peer: NodeId,
    /// The invitation.
    pub id: InviteId,
    /// What only a holder of the link can know.
    pub key: [u8; 32],
    /// Where the link says that the peer is.
    pub addresses: Vec<SocketAddr>,
    /// Until when the invitation holds, ms since 1970.
    pub expires_unix_ms: u64,
}

/// An introducer that the owner added while the node ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptIntroducer {
    /// Where it is.
    pub address: IntroducerAddress,
    /// Since when, ms since 1970.
    pub since_unix_ms: u64,
}
