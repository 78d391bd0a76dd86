//! What the inviter decides when somebody comes with a link.

use p2p_core::id::NodeId;
use p2p_storage::Invite;

use super::proof::Redemption;

/// Why an invitation is not taken up. Its word travels as the answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such invitation, or the proof is wrong: the two cannot be told apart.
    Unknown,
    /// It held until some time ago.
    Expired,
    /// It has been taken up as often as it may.
    Used,
    /// The inviter's node has no room for one more contact, or cannot write it down.
    NoRoom,
}

impl Refusal {
    const ALL: [Self; 4] = [Self::Unknown, Self::Expired, Self::Used, Self::NoRoom];

    /// Its word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "invite_unknown",
            Self::Expired => "invite_expired",
            Self::Used => "invite_used",
            Self::NoRoom => "no_room",
        }
    }

    /// What a word means.
    pub(crate) fn from_word(word: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|refusal| refusal.word().as_bytes() == word)
    }
}

/// What becomes of an invitation that `joiner` comes with: itself with one more use, or nothing where this joiner has
/// taken it up before, whose answer may have been lost.
pub(crate) fn judge(
    invite: Option<&Invite>,
    redemption: &Redemption,
    (joiner, inviter): (NodeId, NodeId),
    now_unix_ms: u64,
) -> Result<Option<Invite>, Refusal> {
    let is_proven = |invite: &&Invite| redemption.is_proven(&invite.key, &joiner, &inviter);
    let invite = invite.filter(is_proven).ok_or(Refusal::Unknown)?;
    let mut invite = invite.clone();
    if invite.taken_by.contains(&joiner) {
        return Ok(None);
    }
    if invite.expires_unix_ms <= now_unix_ms {
        return Err(Refusal::Expired);
    }
    if invite.uses_left() == 0 {
        return Err(Refusal::Used);
    }
    invite.taken_by.push(joiner);
    Ok(Some(invite))
}

#[cfg(test)]
mod tests {
    use super::super::proof::Secret;
    use super::*;

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    #[test]
    fn one_link_for_one_person_is_taken_up_once_and_answered_again() {
        let secret = Secret([5; 16]);
        let mut invite = Invite {
            id: secret.id(),
            key: secret.key(),
            uses: 1,
            petname: None,
            made_unix_ms: 0,
            expires_unix_ms: 100,
            taken_by: Vec::new(),
        };
        let of =
            |joiner: u8| Redemption::new(secret.id(), &secret.key(), (&id(joiner), None), &id(1));
        let judged =
            |invite: &Invite, by: u8, now| judge(Some(invite), &of(by), (id(by), id(1)), now);
        assert_eq!(judged(&invite, 2, 100), Err(Refusal::Expired));
        invite = judged(&invite, 2, 99).expect("the first").expect("a use");
        assert_eq!(invite.taken_by, [id(2)]);
        assert_eq!(judged(&invite, 3, 99), Err(Refusal::Used));
        assert_eq!(judged(&invite, 2, 200), Ok(None), "the answer was lost");
        let stolen = judge(Some(&invite), &of(2), (id(3), id(1)), 99);
        assert_eq!(stolen, Err(Refusal::Unknown), "a proof is of one joiner");
        assert_eq!(
            judge(None, &of(2), (id(2), id(1)), 99),
            Err(Refusal::Unknown)
        );
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from_word(refusal.word().as_bytes()), Some(refusal));
        }
    }
}
