//! Real nodes over real sockets record what they are told; another process runs it again and gives the same output.

mod support;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::Command;

use p2p_core::Node as Engine;
use p2p_core::record::{Ending, ReplayError, Replayed, replay};
use support::{Folder, Node, code, json_lines, p2p, stderr, stdout};

/// Names the recording that a child of this test is to replay.
const CHILD: &str = "REPLAY_THIS";

fn replayed(file: &Path) -> Result<Replayed, ReplayError> {
    let file = File::open(file).expect("a recording");
    replay(BufReader::new(file), Engine::new)
}

/// What another process makes of a recording: how many inputs, and the hash of all output.
fn in_another_process(file: &Path) -> String {
    let output = Command::new(std::env::current_exe().expect("a test knows its own path"))
        .args(["--exact", "the_child_replays", "--nocapture"])
        .env(CHILD, file)
        .output()
        .expect("it runs");
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    let text = stdout(&output);
    let line = text.lines().find_map(|l| l.split_once("replayed: "));
    line.unwrap_or_else(|| panic!("{text}")).1.to_owned()
}

#[test]
fn the_child_replays() {
    let Some(file) = std::env::var_os(CHILD) else {
        return;
    };
    let played = replayed(Path::new(&file)).expect("the same output");
    println!("replayed: {} {}", played.inputs, played.hash);
}

fn start(folder: &Folder, name: &str, more: &[&str]) -> (Node, PathBuf) {
    let file = folder.path(&format!("{name}.recording"));
    let path = file.to_str().expect("a plain path").to_owned();
    let node = Node::start(folder, name, &[more, &["--record", &path]].concat());
    (node, file)
}

#[test]
fn a_session_of_real_programs_replays_bit_for_bit_in_another_process() {
    let folder = Folder::new("recording");
    let (introducer, first) = start(&folder, "introducer", &["--role", "introducer,relay,stun"]);
    let line = introducer.ready["introducer_address"]
        .as_str()
        .expect("a line")
        .to_owned();
    let peer = |name: &str| start(&folder, name, &["--name", name, "--introducer", &line]);
    let ((ada, second), (ben, third)) = (peer("ada"), peer("ben"));
    for node in [&ada, &ben] {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let status = &json_lines(&node.run(&["--json", "status"]))[0];
            if status["node"]["introducers"][0]["state"] == "registered" {
                break;
            }
            assert!(std::time::Instant::now() < end, "never registered");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    for words in [
        &["connect", "ben"][..],
        &["msg", "ben", "good morning"],
        &["request", "ben", "echo", "x"],
    ] {
        let output = ada.run(words);
        assert_eq!(code(&output), 0, "{words:?}: {}", stderr(&output));
    }
    for node in [ada, ben, introducer] {
        node.end();
    }
    for file in [first, second, third] {
        let played = replayed(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert_eq!(played.ending, Ending::Ended);
        assert!(played.inputs > 20, "{} inputs", played.inputs);
        let recorded = (played.inputs, played.hash.clone());
        assert_eq!(played.recorded, Some(recorded));
        let other = in_another_process(&file);
        assert_eq!(other, format!("{} {}", played.inputs, played.hash));
        is_for_its_owner_only(&file);
        a_changed_byte_shows(&file);
    }
}

#[cfg(unix)]
fn is_for_its_owner_only(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[cfg(not(unix))]
fn is_for_its_owner_only(_: &Path) {}

/// A recording with another seed must not pass.
fn a_changed_byte_shows(file: &Path) {
    let text = std::fs::read_to_string(file).expect("text");
    let (before, after) = text.split_once("\"rng_seed\":[").expect("a seed");
    let (number, after) = after.split_once(',').expect("32 numbers");
    let other = if number == "1" { "2" } else { "1" };
    let changed = format!("{before}\"rng_seed\":[{other},{after}");
    let played = replay(changed.as_bytes(), Engine::new);
    assert!(
        matches!(played, Err(ReplayError::Differs { .. })),
        "{played:?}"
    );
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let folder = Folder::new("recording-there");
    let file = folder.path("kept");
    std::fs::write(&file, "kept").expect("a writable folder");
    let output = p2p(&folder.0)
        .args(["up", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
        .arg("--record")
        .arg(&file)
        .output()
        .expect("it runs");
    assert_ne!(code(&output), 0);
    let said = stderr(&output);
    assert!(said.contains("cannot record to"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).expect("still there"), "kept");
}
