//! Services and forwards that outlive the node: set up again when it starts, and as they were where a change to them
//! cannot be written down.

use p2p_core::api::Engine;
use p2p_core::time::Instant;
use p2p_storage::KeptKind;

use super::Surface;
use crate::resources::{forwards, services};

impl Surface {
    /// Sets up what was kept, before anything else happens.
    pub(super) fn restore(&mut self, now: Instant, node: &mut dyn Engine) {
        for kept in core::mem::take(&mut self.state.to_restore) {
            let mut turn = self.turn(now, node);
            let done = match kept.kind {
                KeptKind::Service => services::restore(&mut turn, &kept),
                KeptKind::Forward => forwards::restore(&mut turn, &kept),
            };
            if let Err(problem) = done {
                let (kind, name) = (kept.kind, &kept.name);
                log::warn!("{kind:?} {name:?} is not set up again: {}", problem.detail);
            }
        }
    }

    /// A change is on disk, or cannot be: then what it was about is as before.
    pub(super) fn on_kept_set_up(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        order: u64,
        is_kept: bool,
    ) {
        let Some((kind, name)) = self.state.setting_up.remove(&order).filter(|_| !is_kept) else {
            return;
        };
        let state = &mut self.state;
        match kind {
            KeptKind::Service => {
                state.services.unregister(&name);
            }
            KeptKind::Forward => {
                state.forwards.remove(&name, &mut state.sockets);
            }
        }
        let before = state.contacts.book().kept(kind, &name).cloned();
        state.to_restore.extend(before);
        self.restore(now, node);
        self.end_unallowed(now, node);
        self.end_unwanted_tunnels(now, node);
    }
}
