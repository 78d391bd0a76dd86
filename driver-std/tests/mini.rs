//! `p2p-mini` as a process: what it prints, how it refuses, and that nothing is lost when it is killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// A directory that is removed again.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("p2p-mini-{}-{count}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn program(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p2p-mini"));
    let addresses = ["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--json"];
    command.args(addresses).arg("--state-dir").arg(&folder.0);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running program; it is killed when dropped.
struct Running {
    child: Child,
    facts: Value,
}

impl Running {
    fn start(folder: &Folder) -> Self {
        let mut child = program(folder).spawn().expect("starts");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("piped");
        BufReader::new(out)
            .read_line(&mut line)
            .expect("says where it is");
        let facts = serde_json::from_str(&line).expect("one JSON object");
        Self { child, facts }
    }

    fn id(&self) -> &str {
        self.facts["id"].as_str().expect("an id")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn refused(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().expect("starts");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn a_second_process_on_the_same_directory_is_refused() {
    let folder = Folder::new();
    let first = Running::start(&folder);
    let (code, text) = refused(&mut program(&folder));
    assert_eq!(code, Some(1), "{text}");
    let owner = format!("process {} uses it", first.child.id());
    assert!(text.contains(&owner) && text.contains("fix: "), "{text}");
}

#[test]
fn a_killed_program_comes_back_with_its_identity() {
    let folder = Folder::new();
    let mut first = Running::start(&folder);
    let id = first.id().to_owned();
    first.child.kill().expect("killed");
    first.child.wait().expect("ended");
    assert_eq!(Running::start(&folder).id(), id);
}

#[test]
fn a_damaged_key_file_is_refused_and_kept() {
    let folder = Folder::new();
    drop(Running::start(&folder));
    let keys = folder.0.join("identity.json");
    let whole = std::fs::read(&keys).expect("there");
    std::fs::write(&keys, &whole[..whole.len() / 2]).expect("cut");
    let (code, text) = refused(&mut program(&folder));
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("identity.json") && text.contains("cut off"),
        "{text}"
    );
    assert_eq!(
        std::fs::read(&keys).expect("there"),
        &whole[..whole.len() / 2]
    );
}

#[test]
fn wrong_arguments_are_refused_with_a_way_out() {
    let folder = Folder::new();
    for (arguments, fix) in [
        (["--nonsense", ""], "p2p-mini --help"),
        (["--role", "king"], "write --role ROLE"),
        (["--introducer", "p2p://x"], "write --introducer p2p://"),
        (["--relay-rate", "fast"], "write --relay-rate BYTES"),
    ] {
        let (code, text) = refused(program(&folder).args(arguments));
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(fix), "{text}");
    }
    let (code, text) = refused(program(&folder).args(["--http", "0.0.0.0:0"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("this machine only"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_polite_kill_ends_it_well() {
    let folder = Folder::new();
    let mut node = Running::start(&folder);
    let id = node.child.id().to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status();
    assert!(sent.expect("kill runs").success());
    assert!(node.child.wait().expect("ended").success());
}

#[test]
fn a_body_of_absurd_length_takes_no_memory() {
    let folder = Folder::new();
    let mut node = Running::start(&folder);
    let http = node.facts["http"][0]
        .as_str()
        .expect("an address")
        .to_owned();
    for length in [u64::MAX, 1 << 62, 1 << 40] {
        let mut stream = TcpStream::connect(&http).expect("connects");
        let head =
            format!("POST /v1/x HTTP/1.1\r\nhost: {http}\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("taken");
    }
    let mut stream = TcpStream::connect(&http).expect("still there");
    let head = format!("GET /healthz HTTP/1.1\r\nhost: {http}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        node.child.try_wait().expect("a child").is_none(),
        "it ended"
    );
}
