//! A peer turns up at another address, and knows of it or not.

use super::Sitting;
use crate::oracle::Violation;
use crate::units::secs;

/// It knows: it shows itself at once, so that others need not wait until it has something to say.
pub(super) fn moved(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    s.world.change_address(b, true);
    s.world.run_for(secs(1));
    let message = s.tell(a, b, 60)?;
    s.delivered((a, b), &[message], secs(6))
}

/// It does not, and asks for something: the answer goes where the question came from.
pub(super) fn moved_unawares(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    for _ in 0..2 {
        s.world.change_address(b, false);
        let request = s.ask(b, a)?;
        s.answered(b, request, secs(6))?;
        s.world.run_for(secs(3));
    }
    Ok(())
}
