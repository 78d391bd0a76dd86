//! Congestion control behind one trait. A controller is told what happens to each packet of its path, and once an
//! acknowledgement what it says as a whole; it answers with a window, and if it wants with a pacing rate and a
//! quantum to release at once. Which one a node uses is [`ControllerKind`] in its configuration (protocol §7).
//!
//! The facts are what a controller that models the path needs as well (draft-ietf-ccwg-bbr, delivery-rate samples of
//! draft-cheng-iccrg-delivery-rate-estimation): every packet hands back what had been delivered and lost when it
//! left, when the flight that it belongs to began, how much was in flight, and whether the sender had more to send.
//! Counters are bytes since the path began.
//!
//! Order within one acknowledgement: [`Controller::on_packet_acked`] for each packet, [`Controller::on_packet_lost`]
//! for each loss that it shows, then [`Controller::on_ack`]. Losses found by a timer come without the rest.

mod bbr;
mod controller;
mod cubic;
mod hystart;
mod new_reno;

pub(crate) use controller::{
    AckSample, AckedPacket, Controller, LostPacket, SentState, initial_window,
};

use bbr::Bbr;
use cubic::Cubic;
use new_reno::NewReno;

pub(crate) use crate::api::ControllerKind;

/// Makes a controller for a path that carries datagrams of `mtu` bytes.
#[must_use]
pub(crate) fn build(kind: ControllerKind, mtu: u64) -> Box<dyn Controller> {
    match kind {
        ControllerKind::Bbr => Box::new(Bbr::new(mtu)),
        ControllerKind::Cubic => Box::new(Cubic::new(mtu)),
        ControllerKind::NewReno => Box::new(NewReno::new(mtu)),
    }
}
