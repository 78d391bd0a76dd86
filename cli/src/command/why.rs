//! `p2p why`: what was tried to reach a peer directly, a verdict, one thing to do.

use serde_json::Value;

use crate::client::Call;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Output, Tone, escape};
use crate::peer::{self, path_text, short};

/// Runs it.
pub(super) async fn run(context: &Context, name: &str) -> Result<(), Failure> {
    let client = context.client()?;
    let why = client.json(Call::get(peer::path(name, "/why"))).await?;
    if context.output.json {
        context.output.value(&why);
        return Ok(());
    }
    for line in lines(&context.output, name, &why) {
        context.output.line(line);
    }
    Ok(())
}

fn lines(output: &Output, name: &str, why: &Value) -> Vec<String> {
    let id = short(why["peer"].as_str().unwrap_or("?"));
    let (path, tone) = path_text(&why["path"]);
    let path = output.paint(tone, &path);
    let mut lines = vec![format!("{} ({id}): {path}", escape(name))];
    let seen = why["local_observed"].as_array().into_iter().flatten();
    let seen: Vec<String> = seen.filter_map(Value::as_str).map(escape).collect();
    if !seen.is_empty() {
        lines.push(format!("├─ we are seen as {}", seen.join(", ")));
    }
    let attempts = why["attempts"].as_array().cloned().unwrap_or_default();
    for attempt in &attempts {
        lines.push(format!("├─ {}", attempt_line(output, attempt)));
    }
    if attempts.is_empty() {
        lines.push("├─ no address of the peer was tried".to_owned());
    }
    let verdict = escape(why["verdict"].as_str().unwrap_or("?"));
    let text = escape(why["text"].as_str().unwrap_or(""));
    let verdict = output.paint(Tone::Strong, &verdict);
    lines.push(format!("└─ {verdict}: {text}"));
    if let Some(action) = why["action"].as_str() {
        lines.push(format!("   do: {}", escape(action)));
    }
    lines
}

fn attempt_line(output: &Output, attempt: &Value) -> String {
    let remote = escape(attempt["remote"].as_str().unwrap_or("?"));
    let kind = escape(&attempt["kind"].as_str().unwrap_or("?").replace('_', "-"));
    if let Some(skipped) = attempt["skipped"].as_str() {
        let skipped = output.paint(Tone::Faint, &format!("not tried: {}", escape(skipped)));
        return format!("{remote} ({kind}) {skipped}");
    }
    let count = |name: &str| attempt[name].as_u64().unwrap_or(0);
    let (sent, received) = (count("probes_sent"), count("probes_received"));
    let end = match (attempt["validated"].as_bool(), received) {
        (Some(true), _) => output.paint(Tone::Good, "works both ways"),
        (_, 0) => output.paint(Tone::Bad, "nothing came back"),
        _ => output.paint(Tone::Fair, "one way only"),
    };
    format!("{remote} ({kind}) {sent} probes out, {received} in: {end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_tree_names_every_attempt_and_one_action() {
        let why = json!({
            "peer": "ybndrfg8ejkmcpqx", "verdict": "no_probe_arrived", "text": "None came in.",
            "action": "Allow UDP.", "path": {"kind": "relay", "via": "yyyyyyyyyyyyyy", "remote": "x"},
            "local_observed": ["198.51.100.7:6660"],
            "attempts": [
                {"remote": "192.0.2.1:6660", "kind": "server_reflexive", "probes_sent": 7,
                 "probes_received": 0, "validated": false, "skipped": null},
                {"remote": "10.0.0.1:6660", "kind": "host", "probes_sent": 0, "probes_received": 0,
                 "validated": false, "skipped": "private\u{7}"},
            ],
        });
        let lines = lines(&Output::new(false, true), "ben\u{1b}", &why);
        let expected = [
            "ben\\u{1b} (ybndrfg8ej): relay via yyyyyyyyyy",
            "├─ we are seen as 198.51.100.7:6660",
            "├─ 192.0.2.1:6660 (server-reflexive) 7 probes out, 0 in: nothing came back",
            "├─ 10.0.0.1:6660 (host) not tried: private\\u{7}",
            "└─ no_probe_arrived: None came in.",
            "   do: Allow UDP.",
        ];
        assert_eq!(lines, expected);
    }
}
