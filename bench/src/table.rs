//! The table at the end: for each figure the median and range of every system, and ours as a share of the others'.

use std::fmt::Write;

use crate::sample::{Metric, Sample};
use crate::system::System;
use crate::workload::Workload;

/// Renders all results as one Markdown table.
pub(crate) fn render(samples: &[Sample]) -> String {
    let mut text = String::from("\n| workload | figure |");
    for system in System::ALL {
        let _ = write!(text, " {} |", system.name());
    }
    text.push_str(" ours/quinn | ours/raw |\n|---|---|");
    text.push_str(&"---|".repeat(System::ALL.len() + 2));
    text.push('\n');
    for workload in Workload::ALL {
        for metric in workload.metrics() {
            if samples.iter().any(|s| s.workload == workload) {
                row(&mut text, samples, workload, *metric);
            }
        }
    }
    text.push_str("\nMedian (smallest to largest). ");
    text.push_str("A ratio in bold is the better half: more speed, or less of what it costs.\n");
    text
}

fn row(text: &mut String, samples: &[Sample], workload: Workload, metric: Metric) {
    let of = |system| Spread::of(samples, system, workload, metric);
    let _ = write!(text, "| {} | {} |", workload.name(), metric.heading);
    for system in System::ALL {
        match of(system) {
            Some(spread) => {
                let _ = write!(text, " {} |", spread.text());
            }
            None => text.push_str(" |"),
        }
    }
    for peer in [System::Quinn, System::Raw] {
        match (of(System::Ours), of(peer)) {
            (Some(ours), Some(theirs)) => {
                let ratio = ours.median / theirs.median;
                let better = (ratio >= 1.0) == metric.more_is_better;
                let stars = if better { "**" } else { "" };
                let _ = write!(text, " {stars}{ratio:.2}{stars} |");
            }
            _ => text.push_str(" |"),
        }
    }
    text.push('\n');
}

/// Median and range of one figure of one system.
struct Spread {
    smallest: f64,
    median: f64,
    largest: f64,
}

impl Spread {
    fn of(samples: &[Sample], system: System, workload: Workload, metric: Metric) -> Option<Self> {
        let mut values: Vec<f64> = samples
            .iter()
            .filter(|s| s.system == system && s.workload == workload)
            .filter_map(|s| s.figures.number(metric.key))
            .collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let lower = *values.get(values.len().saturating_sub(1) / 2)?;
        Some(Self {
            smallest: *values.first()?,
            median: f64::midpoint(lower, upper),
            largest: *values.last()?,
        })
    }

    fn text(&self) -> String {
        let [median, smallest, largest] = [self.median, self.smallest, self.largest].map(short);
        format!("{median} ({smallest} to {largest})")
    }
}

/// Three digits that count, thousands and millions by letter.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e4 => format!("{:.0} k", v / 1e3),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Figures;

    fn sample(system: System, round: u32, gbit_per_s: f64) -> Sample {
        Sample {
            system,
            workload: Workload::Bulk,
            round,
            figures: Figures::default().with("gbit_per_s", gbit_per_s),
        }
    }

    #[test]
    fn shows_medians_ranges_and_ratios() {
        let samples = [
            sample(System::Ours, 1, 12.0),
            sample(System::Ours, 2, 10.0),
            sample(System::Ours, 3, 14.0),
            sample(System::Quinn, 1, 6.0),
            sample(System::Quinn, 2, 4.0),
        ];
        let text = render(&samples);
        let line = text.lines().find(|line| line.contains("Gbit/s"));
        let line = line.expect("a row for the throughput");
        assert!(line.contains("12.0 (10.0 to 14.0)"), "{line}");
        assert!(line.contains("5.00 (4.00 to 6.00)"), "{line}");
        assert!(line.contains("**2.40**"), "{line}");
    }
}
