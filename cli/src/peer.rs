//! What several commands do with a peer: name it in a path, make sure that it is connected, show its path.

use core::time::Duration;

use serde_json::{Value, json};

use crate::client::{Call, Client, segment};
use crate::failure::Failure;
use crate::output::{Tone, escape};

/// How long a command tries to connect by itself.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A path below `/v1/peers/{peer}`.
pub(crate) fn path(peer: &str, rest: &str) -> String {
    format!("/v1/peers/{}{rest}", segment(peer))
}

/// Connects, or finds out that the peer is connected already.
///
/// # Errors
/// The connection does not come about.
pub(crate) async fn connect(
    client: &Client,
    peer: &str,
    introducer: Option<&str>,
    timeout: Duration,
) -> Result<Value, Failure> {
    let ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let body = match introducer {
        Some(introducer) => json!({"timeout_ms": ms, "introducer": introducer}),
        None => json!({"timeout_ms": ms}),
    };
    let call = Call::post(path(peer, "/connect")).json(&body);
    client
        .json(call.timeout(timeout + Duration::from_secs(15)))
        .await
}

/// The id of a peer that is connected, or gets connected by this.
///
/// # Errors
/// The connection does not come about.
pub(crate) async fn connected(client: &Client, peer: &str) -> Result<String, Failure> {
    let answer = connect(client, peer, None, CONNECT_TIMEOUT).await?;
    let id = answer["peer"].as_str().or(answer["id"].as_str());
    Ok(id.unwrap_or(peer).to_owned())
}

/// A path in a few words: `direct 192.0.2.1:6660`, `relay via yxh3bq7a`.
pub(crate) fn path_text(path: &Value) -> (String, Tone) {
    let remote = escape(path["remote"].as_str().unwrap_or("?"));
    match path["kind"].as_str() {
        Some("direct") => (format!("direct {remote}"), Tone::Good),
        Some("relay") => {
            let via = short(path["via"].as_str().unwrap_or(&remote));
            (format!("relay via {via}"), Tone::Fair)
        }
        Some(other) => (escape(other), Tone::Fair),
        None => ("-".to_owned(), Tone::Faint),
    }
}

/// The first characters of an id, enough to name it on the command line.
pub(crate) fn short(id: &str) -> String {
    escape(&id.chars().take(10).collect::<String>())
}

/// A duration in milliseconds as people read it.
pub(crate) fn ms_text(ms: &Value) -> String {
    match ms.as_f64() {
        Some(ms) if ms < 10.0 => format!("{ms:.2} ms"),
        Some(ms) if ms < 10_000.0 => format!("{ms:.0} ms"),
        Some(ms) => format!("{:.0} s", ms / 1_000.0),
        None => "-".to_owned(),
    }
}

/// How long ago something was, as people read it.
pub(crate) fn ago_text(ms: &Value) -> String {
    match ms.as_u64() {
        Some(ms) if ms < 1_000 => format!("{ms} ms ago"),
        Some(ms) if ms < 120_000 => format!("{} s ago", ms / 1_000),
        Some(ms) => format!("{} min ago", ms / 60_000),
        None => "-".to_owned(),
    }
}

/// A peer's name, or the beginning of its id; a name that only the peer itself says is shown as what it is.
pub(crate) fn name_or_id(value: &Value) -> String {
    let id = value["peer"].as_str().or(value["id"].as_str());
    let id = short(id.unwrap_or("?"));
    match value["name"].as_str().map(escape) {
        Some(name) if is_claim(value) => format!("{id} (says it is \"{name}\")"),
        Some(name) => name,
        None => id,
    }
}

/// Whether the name of a peer is one that only the peer itself says.
pub(crate) fn is_claim(value: &Value) -> bool {
    value["name_kind"] == "claimed"
}

/// The fingerprint's words, joined.
pub(crate) fn fingerprint(value: &Value) -> String {
    let words = value["fingerprint"].as_array();
    let words = words.into_iter().flatten().filter_map(Value::as_str);
    escape(&words.collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_times_are_short() {
        let direct = json!({"kind": "direct", "remote": "192.0.2.1:6660"});
        assert_eq!(
            path_text(&direct),
            ("direct 192.0.2.1:6660".to_owned(), Tone::Good)
        );
        let relay = json!({"kind": "relay", "via": "ybndrfg8ejkmcpqx", "remote": "192.0.2.9:6660"});
        assert_eq!(path_text(&relay).0, "relay via ybndrfg8ej");
        assert_eq!(path_text(&Value::Null).0, "-");
        assert_eq!(ms_text(&json!(0.1234)), "0.12 ms");
        assert_eq!(ms_text(&json!(48.6)), "49 ms");
        assert_eq!(ms_text(&json!(61_000)), "61 s");
        assert_eq!(ms_text(&Value::Null), "-");
    }

    #[test]
    fn a_claim_is_no_name() {
        let peer = |kind| json!({"peer": "ybndrfg8ejkmcp", "name": "ada", "name_kind": kind});
        assert_eq!(name_or_id(&peer("found")), "ada");
        assert_eq!(
            name_or_id(&peer("claimed")),
            "ybndrfg8ej (says it is \"ada\")"
        );
    }

    #[test]
    fn a_path_keeps_its_shape_whatever_the_name() {
        assert_eq!(path("a/b?c", "/why"), "/v1/peers/a%2Fb%3Fc/why");
    }
}
