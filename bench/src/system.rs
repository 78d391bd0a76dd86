//! Which systems there are, and what each is called.

use crate::workload::Workload;

/// One of the systems measured side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// This project, through its production driver.
    Ours,
    /// quinn, its default configuration.
    Quinn,
    /// UDP with segmentation offload and AES-256-GCM and nothing else: what the machine allows.
    Raw,
}

impl System {
    /// Every system, in the order in which they take turns.
    pub(crate) const ALL: [Self; 3] = [Self::Ours, Self::Quinn, Self::Raw];

    /// The word for it on the command line and in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "p2p",
            Self::Quinn => "quinn",
            Self::Raw => "raw",
        }
    }

    /// The system of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// Whether the workload means anything to it: raw UDP has no connections.
    pub(crate) fn has(self, workload: Workload) -> bool {
        self != Self::Raw || workload != Workload::Idle
    }
}
