//! `p2p demo --once` from end to end: three real nodes on real sockets, and every step of their talk.

mod support;

use support::{Folder, code, json_lines, p2p, stderr, stdout};

#[test]
fn the_demo_keeps_all_that_it_promises() {
    let folder = Folder::new("demo");
    let output = p2p(&folder.0)
        .args(["demo", "--once", "--json"])
        .output()
        .expect("it runs");
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    let lines = json_lines(&output);
    let steps: Vec<&str> = lines.iter().filter_map(|l| l["step"].as_str()).collect();
    let expected = [
        "introducer",
        "registered",
        "registered",
        "search",
        "connected",
        "direct",
        "datagram",
        "request",
        "message",
        "stream",
        "done",
    ];
    assert_eq!(steps, expected);
    let facts = |step: &str| {
        let line = lines.iter().find(|l| l["step"] == step).expect("a step");
        line["facts"].clone()
    };
    assert_eq!(facts("direct")["path"]["kind"], "direct");
    assert_eq!(facts("direct")["path"]["validated"], true);
    assert_eq!(facts("stream")["bytes"], 8 << 20);
    let times: Vec<u64> = lines.iter().filter_map(|l| l["at_ms"].as_u64()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let left = std::fs::read_dir(&folder.0).expect("the folder").flatten();
    let left: Vec<_> = left
        .map(|e| e.file_name())
        .filter(|n| n != "state" && n != "config")
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}
