//! `p2p status`: the node, its introducers, its peers.

use serde_json::{Value, json};

use super::node::{inbox_line, introducer_lines, node_lines};
use crate::client::{Call, Client, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Table, Tone, escape};
use crate::peer::{ago_text, is_claim, ms_text, path_text, short};

/// Runs it.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let node = client.json(Call::get("/v1/node")).await?;
    let peers = all_peers(&client).await?;
    let output = &context.output;
    if output.json {
        output.value(&json!({"node": node, "peers": peers}));
        return Ok(());
    }
    for line in node_lines(&node)
        .into_iter()
        .chain(introducer_lines(output, &node))
        .chain(inbox_line(output, &node))
    {
        output.line(line);
    }
    output.line("");
    if peers.is_empty() {
        output.line("No peers yet. Find one with: p2p search TEXT");
        return Ok(());
    }
    for line in table(&peers).lines(output) {
        output.line(line);
    }
    Ok(())
}

/// All peers, page by page.
async fn all_peers(client: &Client) -> Result<Vec<Value>, Failure> {
    let mut peers = Vec::new();
    let mut target = "/v1/peers?limit=500".to_owned();
    loop {
        let page = client.json(Call::get(target)).await?;
        peers.extend(page["items"].as_array().into_iter().flatten().cloned());
        match page["next"].as_str() {
            Some(next) => target = format!("/v1/peers?limit=500&cursor={}", segment(next)),
            None => return Ok(peers),
        }
    }
}

fn table(peers: &[Value]) -> Table {
    let mut table = Table::new(&["PEER", "NAME", "PATH", "RTT", "LOSS", "LAST"]);
    for peer in peers {
        let (path, tone) = match peer["state"].as_str() {
            Some("connected") => path_text(&peer["path"]),
            Some(state) => (escape(state), Tone::Faint),
            None => ("-".to_owned(), Tone::Faint),
        };
        table.row(vec![
            (short(peer["id"].as_str().unwrap_or("?")), None),
            (name(peer), None),
            (path, Some(tone)),
            (ms_text(&peer["path"]["rtt_ms"]), None),
            (loss(peer), None),
            (ago_text(&peer["quiet_ms"]), None),
        ]);
    }
    table
}

/// What to call it; a claim in quotation marks.
fn name(peer: &Value) -> String {
    match peer["name"].as_str().map(escape) {
        Some(name) if is_claim(peer) => format!("says it is \"{name}\""),
        Some(name) => name,
        None => "-".to_owned(),
    }
}

fn loss(peer: &Value) -> String {
    let count = |name: &str| peer[name].as_f64().unwrap_or(0.0);
    match count("sent_packets") {
        sent if sent > 0.0 => format!("{:.1} %", 100.0 * count("lost_packets") / sent),
        _ => "-".to_owned(),
    }
}

/// The table as `p2p status` prints it, for tests of other files.
#[cfg(test)]
fn rendered(peers: &[Value]) -> String {
    table(peers)
        .lines(&crate::output::Output::new(false, false))
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_in_their_cell() {
        let peer = json!({
            "id": "ybndrfg8ejkmcpqxot1uwisza345h769ybndrfg8ejkmcpqxot1u",
            "name": "bob\u{1b}[2J\n\u{202e}x", "state": "connected", "quiet_ms": 250,
            "path": {"kind": "direct", "remote": "192.0.2.1:6660", "rtt_ms": 12.4},
            "sent_packets": 200, "lost_packets": 3,
        });
        let text = rendered(&[peer]);
        assert_eq!(text.lines().count(), 2);
        let row = text.lines().nth(1).unwrap();
        assert!(row.contains("bob\\u{1b}[2J\\u{a}\\u{202e}x"), "{row}");
        assert!(row.contains("direct 192.0.2.1:6660"), "{row}");
        assert!(row.contains("1.5 %"), "{row}");
        assert!(row.ends_with("250 ms ago"), "{row}");
    }
}
