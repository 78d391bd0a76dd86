//! The serving side's applications: an introducer that does nothing else, and the receiver of a workload, which says
//! when it is registered.

use std::sync::Arc;

use p2p_core::api::{Engine, Event, IntroducerState};
use p2p_core::time::Instant;
use p2p_driver_smol::Application;
use smol::channel::Sender;

use super::play::Receiver;
use crate::meter::Meter;

/// Runs beside the engine in the serving process.
pub(super) enum Host {
    /// The engine does everything by itself.
    Introducer,
    /// Counts what arrives.
    Receiver {
        receiver: Receiver,
        registered: Sender<()>,
    },
}

impl Host {
    /// An introducer.
    pub(super) fn introducer() -> Self {
        Self::Introducer
    }

    /// A receiver that counts into `meter` and says so when the introducer knows it.
    pub(super) fn receiver(meter: Arc<Meter>, registered: Sender<()>) -> Self {
        let receiver = Receiver::new(meter);
        Self::Receiver {
            receiver,
            registered,
        }
    }
}

impl Application for Host {
    type Input = ();

    fn handle_input(&mut self, _: Instant, _: &mut dyn Engine, (): ()) {}

    fn handle_event(&mut self, now: Instant, node: &mut dyn Engine, event: Event) {
        let Self::Receiver {
            receiver,
            registered,
        } = self
        else {
            return;
        };
        let state = IntroducerState::Registered;
        if matches!(&event, Event::Introducer { state: s, .. } if *s == state) {
            // Told once is enough; a full channel means just that.
            let _ = registered.try_send(());
        }
        receiver.handle_event(now, node, event);
    }
}
