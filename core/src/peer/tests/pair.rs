//! Two identities, and what stands between them: a handshake, or the two ends of a session.

use crate::identity::Identity;
use crate::rng::Rng;
use crate::session::{Initiator, LocalOffer, RecordCache, Session, read_ik};

const NETWORK: &str = "lab";

fn identity(n: u8) -> Identity {
    Identity::from_seeds(&[n; 32], &[n ^ 0x55; 32], 5).expect("seeds that make keys")
}

fn offer(index: u32) -> LocalOffer {
    LocalOffer {
        index,
        association: 42,
        reset_token: [u8::try_from(index).unwrap_or(0); 16],
        capabilities: 0,
        stamp: 0,
    }
}

/// A handshake of node 1 with node 2.
pub(in crate::peer) fn initiator(index: u32) -> Initiator {
    let (ours, theirs) = (identity(1), identity(2));
    let mut rng = Rng::from_seed([3; 32]);
    Initiator::new_ik(&ours, NETWORK, theirs.record(), offer(index), &mut rng).expect("good keys")
}

/// Both ends of a session: of whom called, with the receiver index `index`, and of whom was called, with one above.
pub(in crate::peer) fn sessions(index: u32) -> (Session, Session) {
    let mut initiator = initiator(index);
    let (mut records, mut rng) = (RecordCache::new(), Rng::from_seed([4; 32]));
    let datagram = initiator.datagram();
    let request = read_ik(&identity(2), NETWORK, datagram, &mut records, &mut rng);
    let responded = request.expect("a good call").accept(offer(index + 1));
    let responded = responded.expect("good keys");
    let established = initiator.on_response(&responded.datagram, &mut records);
    (
        established.expect("a good answer").session,
        responded.session,
    )
}
