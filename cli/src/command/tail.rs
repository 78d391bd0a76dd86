//! `p2p tail`: what waits in the inbox, then what arrives and what happens, as it comes. Goes on by itself where a
//! broken connection left off.

use core::time::Duration;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::message::CHAT_CHANNEL;
use crate::arguments::Tail;
use crate::client::{Call, Client, Event, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Output, Tone, escape};
use crate::peer::{ms_text, name_or_id, path_text, short};

/// How often the node is looked for again after it went away.
const RETRIES: u32 = 10;
/// Kinds of events that are items of the inbox.
const ITEM_KINDS: &[&str] = &["message", "datagram", "latest", "request", "stream"];

/// What was shown so far.
struct Follow<'a> {
    output: &'a Output,
    client: Client,
    tail: Tail,
    shown: BTreeSet<String>,
    last_id: String,
    left: Option<u64>,
}

/// Runs it.
pub(super) async fn run(context: &Context, tail: Tail) -> Result<(), Failure> {
    let mut follow = Follow {
        output: &context.output,
        client: context.client()?,
        left: tail.lines,
        tail,
        shown: BTreeSet::new(),
        last_id: String::new(),
    };
    let mut failures = 0;
    loop {
        let before = follow.last_id.clone();
        match follow.once().await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(failure) if failures == 0 && before.is_empty() && follow.last_id.is_empty() => {
                return Err(failure);
            }
            Err(failure) if failures >= RETRIES => return Err(failure),
            Err(failure) => {
                context.output.remark(format!("{failure}\n  trying again"));
            }
        }
        failures = if follow.last_id == before {
            failures + 1
        } else {
            1
        };
        smol::Timer::after(Duration::from_secs(1)).await;
    }
}

impl Follow<'_> {
    /// Follows one connection to its end; true once enough lines were shown.
    async fn once(&mut self) -> Result<bool, Failure> {
        let mut call = Call::get(self.target());
        if !self.last_id.is_empty() {
            call = call.header("last-event-id", self.last_id.clone());
        }
        let mut events = self.client.events(call).await?;
        if self.shown.is_empty() && self.last_id.is_empty() && self.waiting().await? {
            return Ok(true);
        }
        while let Some(event) = events.next().await? {
            if self.on_event(event).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn target(&self) -> String {
        let mut query = Vec::new();
        if !self.tail.types.is_empty() {
            query.push(format!("types={}", segment(&self.tail.types.join(","))));
        }
        query.extend(self.tail.topic.query());
        format!("/v1/events?{}", query.join("&"))
    }

    /// Shows what waits in the inbox already.
    async fn waiting(&mut self) -> Result<bool, Failure> {
        let topic = self.tail.topic.query();
        let topic = topic.map_or(String::new(), |topic| format!("&{topic}"));
        let mut since = String::new();
        loop {
            let target = format!("/v1/inbox?limit=500{topic}{since}");
            let page = self.client.json(Call::get(target)).await?;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            for item in &items {
                let kind = item["type"].as_str().unwrap_or_default();
                let wanted =
                    self.tail.types.is_empty() || self.tail.types.iter().any(|t| t == kind);
                if wanted && self.show(kind, item).await? {
                    return Ok(true);
                }
            }
            match page["next"].as_str() {
                Some(next) if !items.is_empty() => since = format!("&since={}", segment(next)),
                _ => return Ok(false),
            }
        }
    }

    async fn on_event(&mut self, event: Event) -> Result<bool, Failure> {
        self.last_id = event.id;
        let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        let id = data["id"].as_str().unwrap_or_default();
        let item = ITEM_KINDS.contains(&event.kind.as_str());
        if item && self.shown.contains(id) {
            return Ok(false);
        }
        self.show(&event.kind, &data).await
    }

    /// Shows one thing; true once it was the last.
    async fn show(&mut self, kind: &str, data: &Value) -> Result<bool, Failure> {
        if self.output.json {
            self.output.value(&json!({"type": kind, "data": data}));
        } else {
            self.output.line(line(self.output, kind, data));
        }
        if ITEM_KINDS.contains(&kind) {
            let id = data["id"].as_str().unwrap_or_default();
            self.shown.insert(id.to_owned());
            // What is waited for twice comes soon after the start: old ids need not be kept for ever.
            if self.shown.len() > 4_096 {
                self.shown.pop_first();
            }
            if self.tail.ack {
                self.acknowledge(kind, id).await?;
            }
        }
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok(self.left == Some(0))
    }

    async fn acknowledge(&self, kind: &str, id: &str) -> Result<(), Failure> {
        let topic = &self.tail.topic;
        let body = json!({
            "cursor": id,
            "type": kind,
            "channel": topic.channel,
            "service": topic.service,
        });
        self.client
            .json(Call::post("/v1/inbox/ack").json(&body))
            .await?;
        Ok(())
    }
}

/// One event on one line.
fn line(output: &Output, kind: &str, data: &Value) -> String {
    let who = name_or_id(data);
    let text = |name: &str| data[name].as_str().map(escape);
    let path = || {
        let (path, tone) = path_text(&data["path"]);
        output.paint(tone, &path)
    };
    let because =
        || text("reason").map_or(String::new(), |r| format!(" ({})", r.replace('_', " ")));
    match kind {
        "message" | "datagram" => {
            // The channel that the command which sends it takes by itself goes without saying.
            let usual = if kind == "message" { CHAT_CHANNEL } else { 0 };
            let channel = match (data["channel"].as_u64(), text("service")) {
                (_, Some(service)) => format!(" {service}"),
                (None, _) => String::new(),
                (Some(channel), _) if channel == usual => String::new(),
                (Some(channel), _) => format!(" #{channel}"),
            };
            let content = content(data);
            let mark = output.paint(Tone::Strong, &format!("{who}{channel}"));
            let faint = if kind == "datagram" { " ~" } else { ":" };
            format!("{mark}{faint} {content}")
        }
        "request" => {
            let (service, id) = (
                text("service").unwrap_or_default(),
                text("id").unwrap_or_default(),
            );
            let answer = output.paint(Tone::Faint, &format!("[answer as {id}]"));
            format!("{who} asks {service}: {} {answer}", content(data))
        }
        "latest" => {
            let key = text("key").unwrap_or_default();
            format!("{who} {key} = {}", content(data))
        }
        "stream" => format!("{who} opened a stream; take it with: p2p pipe --listen"),
        "connected" => format!("-- {who} connected: {}", path()),
        "path_changed" => format!("-- {who} is now reached {}{}", path(), because()),
        "disconnected" => format!("-- {who} disconnected{}", because()),
        "connect_failed" => format!("-- {who} could not be reached{}", because()),
        "introducer" => {
            let id = short(data["introducer"].as_str().unwrap_or("?"));
            format!(
                "-- introducer {id}: {}{}",
                text("state").unwrap_or_default(),
                because()
            )
        }
        "knocked" => knocked(data),
        "invite_taken" | "invite_answered" => met(kind, data),
        "name_differs" => differs(data),
        "pong" => format!(
            "-- pong from {who}: {}, {}",
            ms_text(&data["rtt_ms"]),
            path()
        ),
        "message_state" => {
            let state = text("state").unwrap_or_default();
            format!("-- message to {who}: {state}{}", because())
        }
        "gap" => "-- some events were missed".to_owned(),
        other => format!("-- {}: {}", escape(other), escape(&data.to_string())),
    }
}

/// Somebody met this node by a link, or was to.
fn met(kind: &str, data: &Value) -> String {
    let id = || short(data["peer"].as_str().unwrap_or("?"));
    let who = data["petname"].as_str().map_or_else(id, escape);
    match data["state"].as_str() {
        _ if kind == "invite_taken" => format!("-- {who} followed your link and is a contact now"),
        Some("joined") => format!("-- {who} answered your joining: you are contacts now"),
        state => {
            let state = escape(&state.unwrap_or("?").replace('_', " "));
            format!("-- the link of {who} comes to nothing: {state}")
        }
    }
}

fn knocked(data: &Value) -> String {
    let peer = short(data["peer"].as_str().unwrap_or("?"));
    let claim = data["claimed_name"].as_str().map(escape);
    let claim = claim.map_or(String::new(), |n| format!(", says it is \"{n}\""));
    format!("-- a stranger knocks{claim}: {peer}; let it in with: p2p knocks accept {peer}")
}

/// An introducer gives a name to somebody else than before.
fn differs(data: &Value) -> String {
    let id = |member: &str| short(data[member].as_str().unwrap_or("?"));
    let name = escape(data["name"].as_str().unwrap_or("?"));
    let (offered, known) = (id("offered"), id("known"));
    format!("-- {name} is {offered} now, not {known}: nothing was sent there; see: p2p contacts")
}

fn content(data: &Value) -> String {
    match data["text"].as_str() {
        Some(text) => escape(text),
        None => format!("<{} bytes>", data["size_bytes"].as_u64().unwrap_or(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_write_a_line_of_its_own() {
        let output = Output::new(false, true);
        let data = json!({"name": "eve\u{1b}[1m", "text": "hi\n-- ben disconnected\u{202e}", "channel": 7});
        let line = line(&output, "message", &data);
        assert_eq!(
            line,
            "eve\\u{1b}[1m #7: hi\\u{a}-- ben disconnected\\u{202e}"
        );
    }

    #[test]
    fn unknown_kinds_are_shown_too() {
        let output = Output::new(false, true);
        assert_eq!(
            line(&output, "of tomorrow", &json!({"a": 1})),
            "-- of tomorrow: {\"a\":1}"
        );
        let data = json!({"peer": "ybndrfg8ejkmcpqx", "path": {"kind": "direct", "remote": "[::1]:7"},
            "reason": "upgraded"});
        let expected = "-- ybndrfg8ej is now reached direct [::1]:7 (upgraded)";
        assert_eq!(line(&output, "path_changed", &data), expected);
    }
}
