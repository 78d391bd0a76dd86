//! Results as data: what each process tells the orchestrator, and the figures that follow from both.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::system::System;
use crate::workload::{IDLE_COUNTED, Workload};

/// One figure of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    /// Its key in the JSON line.
    pub key: &'static str,
    /// Its heading in the table, with the unit.
    pub heading: &'static str,
    /// Whether a larger figure is the better one.
    pub more_is_better: bool,
}

impl Metric {
    /// A figure of which more is better.
    pub(crate) const fn more(key: &'static str, heading: &'static str) -> Self {
        Self {
            key,
            heading,
            more_is_better: true,
        }
    }

    /// A figure of which less is better.
    pub(crate) const fn less(key: &'static str, heading: &'static str) -> Self {
        Self {
            key,
            heading,
            more_is_better: false,
        }
    }
}

/// Named numbers, as one process tells them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures(pub BTreeMap<String, f64>);

impl Figures {
    /// Adds one number.
    pub(crate) fn with(mut self, key: &str, value: f64) -> Self {
        self.0.insert(key.to_owned(), value);
        self
    }

    /// A number by name; none where the process did not tell it.
    pub(crate) fn number(&self, key: &str) -> Option<f64> {
        self.0.get(key).copied()
    }

    /// As one line of JSON.
    pub(crate) fn to_line(&self) -> String {
        Value::Object(self.object()).to_string()
    }

    fn object(&self) -> Map<String, Value> {
        self.0
            .iter()
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect()
    }

    /// From one line of JSON; none where it is not an object of numbers.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let value: Map<String, Value> = serde_json::from_str(line).ok()?;
        let number = |(key, value): (String, Value)| Some((key, value.as_f64()?));
        value
            .into_iter()
            .map(number)
            .collect::<Option<_>>()
            .map(Self)
    }
}

/// One result: one system, one workload, one round.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Which system.
    pub system: System,
    /// What was measured.
    pub workload: Workload,
    /// Round, counted from 1.
    pub round: u32,
    /// The figures, by [`Metric::key`], and what they were computed from.
    pub figures: Figures,
}

impl Sample {
    /// As one line of JSON.
    pub(crate) fn to_line(&self) -> String {
        let mut object = self.figures.object();
        object.insert("system".to_owned(), json!(self.system.name()));
        object.insert("workload".to_owned(), json!(self.workload.name()));
        object.insert("round".to_owned(), json!(self.round));
        Value::Object(object).to_string()
    }
}

/// Computes the figures of a workload from what the receiving and the driving process told.
///
/// Returns `None` where one of them told too little, or nothing arrived.
pub(crate) fn combine(workload: Workload, served: &Figures, driven: &Figures) -> Option<Figures> {
    let positive = |figures: &Figures, key: &str| figures.number(key).filter(|n| *n > 0.0);
    let cpu_s = served.number("cpu_s").unwrap_or(0.0) + driven.number("cpu_s").unwrap_or(0.0);
    let raw = Figures::default().with("cpu_s", cpu_s);
    match workload {
        Workload::Bulk => {
            let bytes = positive(served, "bytes")?;
            let seconds = positive(served, "seconds")?;
            let gib = bytes / f64::from(1 << 30);
            Some(
                raw.with("bytes", bytes)
                    .with("seconds", seconds)
                    .with("gbit_per_s", bytes * 8.0 / seconds / 1e9)
                    .with("cpu_s_per_gib", cpu_s / gib),
            )
        }
        Workload::Datagrams => {
            let count = positive(served, "count")?;
            let seconds = positive(served, "seconds")?;
            Some(
                raw.with("count", count)
                    .with("seconds", seconds)
                    .with("delivered_per_s", count / seconds)
                    .with("cpu_us_each", cpu_s * 1e6 / count),
            )
        }
        Workload::Requests => {
            let count = positive(driven, "count")?;
            let seconds = positive(driven, "seconds")?;
            Some(
                raw.with("count", count)
                    .with("seconds", seconds)
                    .with("per_s", count / seconds)
                    .with("cpu_us_each", cpu_s * 1e6 / count),
            )
        }
        Workload::Serial => Some(
            raw.with("count", positive(driven, "count")?)
                .with("p50_us", positive(driven, "p50_us")?)
                .with("p99_us", positive(driven, "p99_us")?),
        ),
        Workload::Idle => {
            let before = positive(served, "mark0_rss_kib")?;
            let after = positive(served, "mark1_rss_kib")?;
            let connections = IDLE_COUNTED as f64;
            Some(
                raw.with("rss_before_kib", before)
                    .with("rss_after_kib", after)
                    .with("kib_per_connection", (after - before) / connections),
            )
        }
    }
}

/// Median and 99th percentile, microseconds, of round-trip times in nanoseconds.
pub(crate) fn percentiles(mut nanos: Vec<u64>) -> Figures {
    nanos.sort_unstable();
    let at = |share: f64| {
        let index = (nanos.len() as f64 * share) as usize;
        nanos.get(index).map_or(0.0, |n| *n as f64 / 1e3)
    };
    let figures = Figures::default().with("count", nanos.len() as f64);
    figures.with("p50_us", at(0.50)).with("p99_us", at(0.99))
}
