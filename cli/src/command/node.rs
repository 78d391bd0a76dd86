//! The node in a few lines: who it is, how it is seen, which introducers know it.

use serde_json::Value;

use crate::output::{Output, Tone, escape};
use crate::peer::{fingerprint, ms_text};

/// Identity, name, roles, addresses.
pub(super) fn node_lines(node: &Value) -> Vec<String> {
    let text = |name: &str| node[name].as_str().map(escape);
    let list = |name: &str| {
        let items = node[name].as_array().into_iter().flatten();
        items
            .filter_map(Value::as_str)
            .map(escape)
            .collect::<Vec<_>>()
    };
    let mut lines = vec![
        format!("id           {}", text("id").unwrap_or_default()),
        format!("fingerprint  {}", fingerprint(node)),
        format!(
            "name         {}",
            text("name").unwrap_or_else(|| "- (p2p up --name NAME)".to_owned())
        ),
    ];
    let roles = list("roles");
    if !roles.is_empty() {
        lines.push(format!("roles        {}", roles.join(", ")));
    }
    for (label, name) in [
        ("addresses", "local_addresses"),
        ("seen as", "observed_addresses"),
    ] {
        let addresses = list(name);
        if !addresses.is_empty() {
            lines.push(format!("{label:<13}{}", addresses.join(", ")));
        }
    }
    lines
}

/// A line where the inbox is filling up or the disk refuses it, and what to do about it.
pub(super) fn inbox_line(output: &Output, node: &Value) -> Option<String> {
    let inbox = &node["inbox"];
    if inbox["state"] == "not_kept" {
        let state = output.paint(
            Tone::Bad,
            "!! cannot be written to disk, messages wait outside",
        );
        return Some(format!(
            "inbox        {state}  make room where the state directory is"
        ));
    }
    let (mark, tone) = match inbox["state"].as_str() {
        Some("filling") => (".. filling", Tone::Fair),
        Some("full") => ("!! full, messages wait outside", Tone::Bad),
        _ => return None,
    };
    let fullest = &inbox["fullest"];
    let option = match (&fullest["channel"], fullest["service"].as_str()) {
        (Value::Number(channel), _) => format!("--channel {channel}"),
        (_, service) => format!("--service {}", escape(service.unwrap_or("?"))),
    };
    let state = output.paint(tone, mark);
    Some(format!(
        "inbox        {state}  read it with: p2p tail --ack {option}"
    ))
}

/// One line for each introducer, with its state.
pub(super) fn introducer_lines(output: &Output, node: &Value) -> Vec<String> {
    let introducers = node["introducers"].as_array().cloned().unwrap_or_default();
    let line = |introducer: &Value| {
        let state = introducer["state"].as_str().unwrap_or("?");
        let (mark, tone) = match state {
            "registered" => ("ok", Tone::Good),
            "unreachable" | "unresolved" | "refused" => ("!!", Tone::Bad),
            _ => ("..", Tone::Fair),
        };
        let reason = introducer["reason"]
            .as_str()
            .map_or(String::new(), |r| format!(" ({r})"));
        let rtt = match &introducer["rtt_ms"] {
            Value::Null => String::new(),
            rtt => format!(", {}", ms_text(rtt)),
        };
        let address = escape(introducer["address"].as_str().unwrap_or("?"));
        let state = output.paint(
            tone,
            &format!("{mark} {}{}", escape(state), escape(&reason)),
        );
        format!("introducer   {state}{rtt}  {address}")
    };
    introducers.iter().map(line).collect()
}
