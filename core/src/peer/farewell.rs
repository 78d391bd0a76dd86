//! How a connection is ended: the frame that says so, and what the application hears.

use crate::api::DisconnectReason;
use crate::error::PeerMisbehaved;
use crate::wire::frame::CloseFrame;

/// With what a connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// The application, or the end of the node.
    Goodbye,
    /// The peer broke a rule.
    Fault(PeerMisbehaved),
}

impl Farewell {
    /// What the peer hears.
    pub(super) fn frame(self) -> CloseFrame<'static> {
        match self {
            Self::Goodbye => CloseFrame {
                code: 0,
                reason: "goodbye",
            },
            Self::Fault(fault) => CloseFrame {
                code: fault.code(),
                reason: fault.rule(),
            },
        }
    }

    /// What our application hears.
    pub(super) const fn reason(self) -> DisconnectReason {
        match self {
            Self::Goodbye => DisconnectReason::Local,
            Self::Fault(fault) => DisconnectReason::Misbehaved(fault),
        }
    }

    /// What the application hears when the peer said this.
    pub(super) const fn reason_of_peer(code: u64) -> DisconnectReason {
        match code {
            0 => DisconnectReason::Remote,
            _ => DisconnectReason::Accused(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goodbye_accuses_nobody_and_a_fault_does_on_both_sides() {
        let heard = |farewell: Farewell| Farewell::reason_of_peer(farewell.frame().code);
        assert_eq!(heard(Farewell::Goodbye), DisconnectReason::Remote);
        assert_eq!(Farewell::Goodbye.reason(), DisconnectReason::Local);
        let fault = PeerMisbehaved::FlowControl;
        let farewell = Farewell::Fault(fault);
        assert_eq!(heard(farewell), DisconnectReason::Accused(fault.code()));
        assert_eq!(farewell.reason(), DisconnectReason::Misbehaved(fault));
        assert_eq!(farewell.frame().reason, fault.rule());
    }
}
