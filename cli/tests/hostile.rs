//! Peers choose their names and words; none of them reaches the terminal as an order to it.

mod support;

use support::{Folder, code, fake_node, p2p, stderr, stdout};

/// Clears the screen, sets a title, turns text around, breaks lines, hides.
const NAME: &str = "b\u{1b}[2J\u{1b}]0;x\u{7}\u{202e}o\u{200b}\u{9b}31m\r\nFAKE  line\u{7f}";

fn is_hostile(c: char) -> bool {
    c != '\n' && (c.is_control() || "\u{202e}\u{200b}\u{2028}\u{feff}".contains(c))
}

fn answers() -> Vec<(&'static str, u16, String)> {
    let name = serde_json::to_string(NAME).expect("a string");
    let id = "ybndrfg8ejkmcpqxot1uwisza345h769ybndrfg8ejkmcpqxot1u";
    let path = format!(r#"{{"kind":"relay","via":{name},"remote":{name},"rtt_ms":1.5}}"#);
    let node = format!(
        r#"{{"id":"{id}","name":{name},"fingerprint":[{name}],"roles":[{name}],
            "local_addresses":[{name}],"observed_addresses":[{name}],
            "introducers":[{{"address":{name},"state":{name},"reason":{name},"rtt_ms":1}}]}}"#
    );
    let peers = format!(
        r#"{{"items":[{{"id":"{id}","name":{name},"state":"connected","path":{path},"quiet_ms":5,
            "sent_packets":10,"lost_packets":1}},{{"id":{name},"name":null,"state":{name}}}],
            "next":null}}"#
    );
    let found = format!(
        r#"{{"items":[{{"name":{name},"id":{name},"fingerprint":[{name}],"introducer":{name}}}],
            "next":null}}"#
    );
    let why = format!(
        r#"{{"peer":"{id}","verdict":{name},"text":{name},"action":{name},"path":{path},
            "local_observed":[{name}],"attempts":[{{"remote":{name},"kind":{name},"probes_sent":1,
            "probes_received":0,"validated":false,"skipped":{name}}}]}}"#
    );
    let problem = format!(
        r#"{{"title":{name},"status":404,"detail":{name},"code":{name},"hint":{name},
            "errors":[{{"pointer":{name},"message":{name}}}]}}"#
    );
    vec![
        ("GET /v1/node", 200, node),
        ("GET /v1/peers?", 200, peers),
        ("GET /v1/search", 200, found),
        ("GET /v1/peers/ben/why", 200, why),
        ("GET /v1/settings", 200, format!(r#"{{"name":{name}}}"#)),
        (
            "POST /v1/peers/ben/connect",
            200,
            format!(r#"{{"peer":"{id}","name":{name},"path":{path}}}"#),
        ),
        ("DELETE /v1/peers/ben", 404, problem),
    ]
}

#[test]
fn nothing_from_others_steers_the_terminal() {
    let node = fake_node(answers()).to_string();
    let folder = Folder::new("hostile");
    for command in [
        &["status"][..],
        &["search", "ben"],
        &["why", "ben"],
        &["settings"],
        &["connect", "ben"],
        &["disconnect", "ben"],
    ] {
        for json in [&[][..], &["--json"]] {
            let mut process = p2p(&folder.0);
            let output = process.args(["--api", &node]).args(json).args(command);
            let output = output.env("CLICOLOR_FORCE", "").output().expect("it runs");
            let all = stdout(&output) + &stderr(&output);
            assert!(
                !all.chars().any(is_hostile),
                "{command:?} {json:?}: {all:?}"
            );
            assert!(
                all.contains("\\u{202e}") || all.contains("\\u202e"),
                "{command:?}: {all}"
            );
            let expected = if command[0] == "disconnect" { 5 } else { 0 };
            assert_eq!(code(&output), expected, "{command:?}: {all}");
            assert!(!all.lines().any(|line| line.starts_with("FAKE")), "{all}");
        }
    }
}

#[test]
fn json_gives_the_name_back_unchanged() {
    let node = fake_node(answers()).to_string();
    let folder = Folder::new("hostile");
    let output = p2p(&folder.0)
        .args(["--api", &node, "--json", "status"])
        .output();
    let status: serde_json::Value =
        serde_json::from_str(&stdout(&output.expect("it runs"))).expect("JSON");
    assert_eq!(status["node"]["name"], NAME);
    assert_eq!(status["peers"][0]["name"], NAME);
}
