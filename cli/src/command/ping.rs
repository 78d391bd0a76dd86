//! `p2p ping`: round trips, and the path that they take; with `--until-direct` until no relay is in between.

use core::time::Duration;

use serde_json::{Value, json};

use crate::arguments::Ping;
use crate::client::{Call, Client};
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::output::escape;
use crate::peer::{self, ms_text, path_text};

/// Pings sent unless told otherwise.
const PINGS: u32 = 5;
/// Pings sent at most while waiting for a direct path, unless told otherwise.
const UNTIL_DIRECT_PINGS: u32 = 60;

/// What came of all pings.
#[derive(Default)]
struct Summary {
    sent: u32,
    round_trips: Vec<f64>,
    direct: bool,
}

/// Runs it.
pub(super) async fn run(context: &Context, ping: Ping) -> Result<(), Failure> {
    let client = context.client()?;
    let id = peer::connected(&client, &ping.peer).await?;
    let mut summary = Summary::default();
    let count = ping.count.unwrap_or(if ping.until_direct {
        UNTIL_DIRECT_PINGS
    } else {
        PINGS
    });
    let interval = Duration::try_from_secs_f64(ping.interval.clamp(0.1, 3_600.0));
    let interval = interval.unwrap_or(Duration::from_secs(1));
    while summary.sent < count {
        if summary.sent > 0 {
            smol::Timer::after(interval).await;
        }
        let pong = one(&client, &id).await?;
        summary.add(&pong);
        show(context, &ping.peer, &pong, summary.sent);
        if ping.until_direct && summary.direct {
            break;
        }
    }
    summary.finish(context, &ping)
}

async fn one(client: &Client, id: &str) -> Result<Value, Failure> {
    client.json(Call::post(peer::path(id, "/ping"))).await
}

fn show(context: &Context, name: &str, pong: &Value, number: u32) {
    let output = &context.output;
    if output.json {
        let mut pong = pong.clone();
        pong["sequence"] = json!(number);
        output.value(&pong);
        return;
    }
    let (path, tone) = path_text(&pong["path"]);
    let path = output.paint(tone, &path);
    let name = escape(name);
    output.line(match pong["rtt_ms"].as_f64() {
        Some(_) => format!("reply from {name}: {}, {path}", ms_text(&pong["rtt_ms"])),
        None => format!("no reply from {name}, {path}"),
    });
}

impl Summary {
    fn add(&mut self, pong: &Value) {
        self.sent += 1;
        self.round_trips.extend(pong["rtt_ms"].as_f64());
        self.direct = pong["path"]["kind"] == "direct" && pong["rtt_ms"].is_number();
    }

    fn loss(&self) -> f64 {
        1.0 - self.round_trips.len() as f64 / f64::from(self.sent.max(1))
    }

    /// The summary line, and the failure where nothing came back or no direct path appeared.
    fn finish(&self, context: &Context, ping: &Ping) -> Result<(), Failure> {
        let count = self.round_trips.len();
        let sum: f64 = self.round_trips.iter().sum();
        let least = self
            .round_trips
            .iter()
            .copied()
            .fold(f64::INFINITY, f64::min);
        let most = self.round_trips.iter().copied().fold(0.0, f64::max);
        if context.output.json {
            let measured = |value: f64| (count > 0).then_some(value);
            context.output.value(&json!({
                "sent": self.sent, "received": count, "loss": self.loss(), "direct": self.direct,
                "min_ms": measured(least), "mean_ms": measured(sum / count.max(1) as f64),
                "max_ms": measured(most),
            }));
        } else if count > 0 {
            let text = |ms: f64| ms_text(&json!(ms));
            context.output.remark(format!(
                "{} sent, {count} received, {:.0} % lost, {} / {} / {} (least, mean, most)",
                self.sent,
                100.0 * self.loss(),
                text(least),
                text(sum / count as f64),
                text(most),
            ));
        }
        let name = escape(&ping.peer);
        if count == 0 {
            let what = format!("No ping to {name} came back");
            return Err(Failure::new(exit::TIMEOUT, "no_reply", what)
                .because("Nothing arrived on the path in use.")
                .fix("See what was tried with: p2p why PEER"));
        }
        if ping.until_direct && !self.direct {
            let what = format!("The path to {name} did not become direct");
            return Err(Failure::new(exit::UNREACHABLE, "not_direct", what)
                .because(format!("After {} pings it is still relayed.", self.sent))
                .fix("See what was tried with: p2p why PEER"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_pings_count_and_do_not_prove_a_direct_path() {
        let mut summary = Summary::default();
        summary.add(&json!({"rtt_ms": 10.0, "path": {"kind": "relay"}}));
        assert!(!summary.direct);
        summary.add(&json!({"rtt_ms": null, "path": {"kind": "direct"}}));
        assert!(!summary.direct);
        summary.add(&json!({"rtt_ms": 2.0, "path": {"kind": "direct"}}));
        assert!(summary.direct);
        assert!((summary.loss() - 1.0 / 3.0).abs() < 1e-9);
    }
}
