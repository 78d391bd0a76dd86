//! A file goes on after either node was killed, at whatever moment.

mod support;

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Folder, Node, code, json_lines, stderr};

/// Bytes of the file.
const BYTES: usize = 200_000_000;
/// How often a node is killed.
const KILLS: u64 = 10;
/// Longest time for all of it, on a slow machine.
const TIME: Duration = Duration::from_secs(500);

/// The only transfer of a node.
fn transfer(node: &Node) -> Value {
    let listed = node.run(&["transfers", "--json"]);
    json_lines(&listed)[0]["items"][0].clone()
}

fn start(folder: &Folder, name: &str, place: &str) -> Node {
    Node::start(folder, name, &["--name", name, "--introducer", place])
}

/// Kills a node and starts it again.
fn again(node: Node, folder: &Folder, name: &str, place: &str) -> Node {
    node.kill();
    start(folder, name, place)
}

#[test]
fn a_file_arrives_whole_through_kills_of_both_nodes() {
    let folder = Folder::new("kills");
    let roles = ["--role", "introducer", "--role", "relay"];
    let introducer = Node::start(&folder, "introducer", &roles);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let (id, udp) = (
        text(&introducer.ready["id"]),
        text(&introducer.ready["udp"][0]),
    );
    let place = format!("p2p://{id}@{udp}");
    let mut nodes = ["ada", "ben"].map(|name| start(&folder, name, &place));
    let ids = [text(&nodes[0].ready["id"]), text(&nodes[1].ready["id"])];
    for (node, id) in [(0, 1), (1, 0)] {
        let chosen = nodes[node].run(&["contacts", "name", &ids[id], "my friend"]);
        assert_eq!(code(&chosen), 0, "{}", stderr(&chosen));
    }
    let mut bytes = vec![0; BYTES];
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = ((n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u8;
    }
    let file = folder.path("big");
    std::fs::write(&file, &bytes).expect("written");
    let send = [
        "send",
        file.to_str().expect("UTF-8"),
        "--to",
        &ids[1],
        "--timeout",
        "1",
    ];
    let begun = Instant::now();
    while code(&nodes[0].run(&send)) == 6 {
        assert!(begun.elapsed() < TIME, "never connected");
    }
    while transfer(&nodes[1])["state"] != "offered" {
        assert!(begun.elapsed() < TIME, "never offered");
        thread::sleep(Duration::from_millis(100));
    }
    let id = text(&transfer(&nodes[1])["id"]);
    let (_, body) = nodes[1].call(
        "POST",
        &format!("/v1/transfers/{id}/accept"),
        &format!(
            "{{\"out\":{:?}}}",
            folder.path("got").to_str().expect("UTF-8")
        ),
    );
    assert!(body.contains("preparing"), "{body}");
    let (mut kills, mut done) = (0, 0);
    loop {
        assert!(begun.elapsed() < TIME, "{kills} kills, {done} bytes");
        let now = transfer(&nodes[1]);
        let came = now["done_bytes"].as_u64().expect("bytes");
        assert!(came >= done, "{came} after {done}");
        done = came;
        if now["state"] == "done" && transfer(&nodes[0])["state"] == "done" {
            break;
        }
        if kills < KILLS && done >= (kills + 1) * (BYTES as u64) / (KILLS + 2) {
            kills += 1;
            let n = usize::from(kills % 2 == 0);
            let [ada, ben] = nodes;
            nodes = match n {
                0 => [again(ada, &folder, "ada", &place), ben],
                _ => [ada, again(ben, &folder, "ben", &place)],
            };
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(kills, KILLS);
    let got = std::fs::read(folder.path("got/big")).expect("it is there");
    assert!(got == bytes, "byte for byte");
}
