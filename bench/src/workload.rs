//! What is measured, and in which figures each measurement ends.

use crate::sample::Metric;

/// Connections on which the idle measurement warms tables and allocators up before it counts.
pub(crate) const IDLE_WARM: usize = 100;
/// Idle connections that are counted.
pub(crate) const IDLE_COUNTED: usize = 1_000;
/// Requests under way at once; what one peer may have waiting ([`p2p_core::limits::REQUESTS_PER_PEER`]).
pub(crate) const REQUESTS_IN_FLIGHT: usize = 64;
/// Body of a request and of its answer, bytes.
pub(crate) const REQUEST_BYTES: usize = 64;
/// Body of a datagram, bytes.
pub(crate) const DATAGRAM_BYTES: usize = 200;

/// One kind of measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// One reliable stream, as fast as it goes.
    Bulk,
    /// One request after the other, 64 bytes each way, both processes on one core where `taskset` exists.
    Serial,
    /// As many requests as possible with 64 under way, 64 bytes each way.
    Requests,
    /// Unreliable datagrams of 200 bytes, as many as possible.
    Datagrams,
    /// Memory of connections that do nothing.
    Idle,
}

impl Workload {
    /// Every workload, in the order in which they run.
    pub(crate) const ALL: [Self; 5] = [
        Self::Bulk,
        Self::Serial,
        Self::Requests,
        Self::Datagrams,
        Self::Idle,
    ];

    /// The word for it on the command line and in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Serial => "serial",
            Self::Requests => "requests",
            Self::Datagrams => "datagrams",
            Self::Idle => "idle",
        }
    }

    /// The workload of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|w| w.name() == name)
    }

    /// What a word of the command line stands for: one workload, both kinds of requests, or all.
    pub(crate) fn group(name: &str) -> Option<&'static [Self]> {
        Some(match name {
            "bulk" => &[Self::Bulk],
            "serial" => &[Self::Serial],
            "requests" => &[Self::Serial, Self::Requests],
            "datagrams" => &[Self::Datagrams],
            "idle" => &[Self::Idle],
            "all" => &Self::ALL,
            _ => return None,
        })
    }

    /// The figures in which this measurement ends, in the order of the table.
    pub(crate) fn metrics(self) -> &'static [Metric] {
        match self {
            Self::Bulk => {
                const {
                    &[
                        Metric::more("gbit_per_s", "Gbit/s"),
                        Metric::less("cpu_s_per_gib", "CPU s per GiB"),
                    ]
                }
            }
            Self::Serial => {
                const {
                    &[
                        Metric::less("p50_us", "p50 µs"),
                        Metric::less("p99_us", "p99 µs"),
                    ]
                }
            }
            Self::Requests => {
                const {
                    &[
                        Metric::more("per_s", "per s"),
                        Metric::less("cpu_us_each", "CPU µs each"),
                    ]
                }
            }
            Self::Datagrams => {
                const {
                    &[
                        Metric::more("delivered_per_s", "delivered per s"),
                        Metric::less("cpu_us_each", "CPU µs each"),
                    ]
                }
            }
            Self::Idle => const { &[Metric::less("kib_per_connection", "KiB each, one side")] },
        }
    }
}
