//! The systems that are measured, each with a serving and a driving half for every workload.

pub(crate) mod ours;
mod quinn;
mod raw;

use std::sync::Arc;
use std::time::Duration;

use crate::meter::Meter;
use crate::process::Failure;
use crate::sample::Figures;
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

    /// Serves until the process ends; says once how to reach it.
    pub(crate) fn serve(
        self,
        workload: Workload,
        meter: Arc<Meter>,
        ready: &dyn Fn(String),
    ) -> Result<(), Failure> {
        match self {
            Self::Ours => ours::serve(workload, meter, ready),
            Self::Quinn => quinn::serve(workload, meter, ready),
            Self::Raw => raw::serve(workload, &meter, ready),
        }
    }

    /// Drives the workload for so long and returns the driver's own figures.
    pub(crate) fn drive(
        self,
        workload: Workload,
        contact: &str,
        duration: Duration,
    ) -> Result<Figures, Failure> {
        match self {
            Self::Ours => ours::drive(workload, contact, duration),
            Self::Quinn => quinn::drive(workload, contact, duration),
            Self::Raw => raw::drive(workload, contact, duration),
        }
    }
}
