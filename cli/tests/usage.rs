//! The command line itself: what is wrong on it, its help, the exit codes that problems of the node lead to.

mod support;

use std::process::Output;

use support::{Folder, code, fake_node, json_lines, p2p, problem, stderr, stdout};

fn run(arguments: &[&str]) -> Output {
    let folder = Folder::new("usage");
    p2p(&folder.0).args(arguments).output().expect("it runs")
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for arguments in [
        &[][..],
        &["fly"],
        &["search"],
        &["msg", "ben"],
        &["pipe"],
        &["ping", "ben", "-c", "0"],
        &["up", "--introducer", "https://example.org"],
        &["up", "--role", "king"],
        &["connect", "ben", "--timeout", "999"],
        &["services", "http", "web", "http://127.0.0.1:3000"],
        &["services", "tcp", "ssh", "127.0.0.1:22"],
        &["forward", "--listen", "127.0.0.1:2222"],
        &["forward", "ben/ssh", "--remove", "ssh@ben"],
        &["--api", "http://192.0.2.1:8080", "status"],
        &["--api", "nonsense", "status"],
    ] {
        let output = run(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(!stderr(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn no_node_ends_with_3_and_three_lines() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("bound").to_string();
    drop(free);
    for command in [
        &["status"][..],
        &["search", "ben"],
        &["msg", "ben", "hi"],
        &["tail"],
        &["why", "ben"],
        &["ui"],
    ] {
        let output = run(&[&["--api", &address], command].concat());
        assert_eq!(code(&output), 3, "{command:?}: {}", stderr(&output));
        let text = stderr(&output);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[0].starts_with("error: No node answers"), "{text}");
        assert!(lines[1].starts_with("  why: "), "{text}");
        assert!(lines[2].contains("p2p up"), "{text}");
    }
    let output = run(&["--json", "--api", &address, "status"]);
    let error: serde_json::Value = serde_json::from_str(&stderr(&output)).expect("JSON");
    assert_eq!(error["error"]["exit_code"], 3);
    assert_eq!(error["error"]["code"], "not_running");
}

#[test]
fn problems_of_the_node_become_exit_codes() {
    for (text, status, expected) in [
        ("unauthorized", 401, 4),
        ("host_not_allowed", 403, 4),
        ("peer_not_found", 404, 5),
        ("introducer_unreachable", 503, 6),
        ("connect_timed_out", 504, 7),
        ("peer_ambiguous", 409, 8),
        ("connect_refused", 403, 9),
        ("key_mismatch", 403, 10),
        ("invalid_body", 422, 2),
        ("limit_reached", 503, 1),
    ] {
        let node = fake_node(vec![(
            "POST /v1/peers/ben/connect",
            status,
            problem(text, status),
        )]);
        let output = run(&["--api", &node.to_string(), "connect", "ben"]);
        assert_eq!(code(&output), expected, "{text}: {}", stderr(&output));
        assert!(stderr(&output).contains(text), "{text}");
    }
}

#[test]
fn help_explains_the_exit_codes_and_every_command() {
    let output = run(&["help", "exit-codes"]);
    assert_eq!(code(&output), 0);
    for line in ["3  no node is running", "10  integrity"] {
        assert!(stdout(&output).contains(line), "{}", stdout(&output));
    }
    let text = stdout(&run(&["--help"]));
    for command in [
        "up",
        "introducer",
        "status",
        "search",
        "connect",
        "disconnect",
        "ping",
        "why",
        "msg",
        "tail",
        "send-datagram",
        "request",
        "pipe",
        "settings",
        "token",
        "ui",
        "demo",
        "completions",
    ] {
        assert!(text.contains(&format!("\n  {command} ")), "{command}");
        assert_eq!(code(&run(&[command, "--help"])), 0, "{command}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            stdout(&run(&["completions", shell])).contains("send-datagram"),
            "{shell}"
        );
    }
}

#[test]
fn a_message_that_is_not_delivered_is_no_success() {
    let node = fake_node(vec![
        (
            "POST /v1/peers/ben/connect",
            200,
            r#"{"peer":"benbenben"}"#.to_owned(),
        ),
        (
            "POST /v1/peers/benbenben/messages",
            201,
            r#"{"id":"1","state":"failed","reason":"disconnected"}"#.to_owned(),
        ),
    ]);
    let output = run(&["--api", &node.to_string(), "msg", "ben", "hi"]);
    assert_eq!(code(&output), 6);
    assert!(stdout(&output).is_empty());
    assert!(
        stderr(&output).contains("may or may not have arrived"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn lost_pings_end_with_7_and_are_counted() {
    let node = fake_node(vec![
        (
            "POST /v1/peers/ben/connect",
            200,
            r#"{"peer":"benbenben"}"#.to_owned(),
        ),
        (
            "POST /v1/peers/benbenben/ping",
            200,
            r#"{"peer":"benbenben","rtt_ms":null,"lost":true,"path":null}"#.to_owned(),
        ),
    ]);
    let arguments = [
        "--json",
        "--api",
        &node.to_string(),
        "ping",
        "ben",
        "-c",
        "2",
        "-i",
        "0.1",
    ];
    let output = run(&arguments);
    assert_eq!(code(&output), 7);
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 3);
    assert_eq!(
        (&lines[0]["sequence"], &lines[1]["sequence"]),
        (&1.into(), &2.into())
    );
    assert_eq!(lines[2]["sent"], 2);
    assert_eq!(lines[2]["received"], 0);
}
