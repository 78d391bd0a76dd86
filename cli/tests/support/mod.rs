//! What the tests of the binary share: running it with surroundings of its own, a node played by a few canned HTTP
//! answers, and real nodes that end with their test.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use serde_json::Value;

/// A directory of one test, removed with it.
pub(crate) struct Folder(pub PathBuf);

impl Folder {
    /// Makes it, empty and for this user only.
    pub(crate) fn new(test: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("p2p-test-{test}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }

    /// A path below it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program with nothing of the user's surroundings.
pub(crate) fn p2p(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p2p"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("P2P_") {
            command.env_remove(name);
        }
    }
    command
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("TMPDIR", folder)
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null());
    command
}

/// What a run printed.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a run said besides.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The exit code of a run.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

/// Each line as JSON.
pub(crate) fn json_lines(output: &Output) -> Vec<Value> {
    let text = stdout(output);
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    text.lines().map(parse).collect()
}

/// A node that gives canned answers: `("GET /v1/node", 200, body)`, the first fitting beginning wins.
pub(crate) fn fake_node(answers: Vec<(&'static str, u16, String)>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            answer(socket, &answers);
        }
    });
    address
}

fn answer(mut socket: TcpStream, answers: &[(&'static str, u16, String)]) {
    let mut reader = BufReader::new(socket.try_clone().expect("a second handle"));
    let mut first = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if first.is_empty() {
            first = line;
        }
    }
    let _ = reader.take(length).read_to_end(&mut Vec::new());
    let fits = |a: &&(&'static str, u16, String)| first.starts_with(a.0);
    let missing = problem("not_found", 404);
    let (status, body) = answers
        .iter()
        .find(fits)
        .map_or((404, missing.as_str()), |(_, status, body)| {
            (*status, body.as_str())
        });
    let _ = write!(
        socket,
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}

/// A problem document.
pub(crate) fn problem(code: &str, status: u16) -> String {
    format!(
        r#"{{"type":"/docs/errors#{code}","title":"Title of {code}","status":{status},
            "detail":"Detail.","code":"{code}","hint":"Hint.","retryable":false}}"#
    )
}

/// A real node, ended with its test.
pub(crate) struct Node {
    child: Child,
    /// What it said when it was ready.
    pub ready: Value,
    state: PathBuf,
    folder: PathBuf,
}

impl Node {
    /// Starts one with its state below the folder.
    pub(crate) fn start(folder: &Folder, name: &str, more: &[&str]) -> Self {
        Self::start_at(folder, name, "127.0.0.1:0", more)
    }

    /// The same, with an address of its own.
    pub(crate) fn start_at(folder: &Folder, name: &str, listen: &str, more: &[&str]) -> Self {
        let state = folder.path(name);
        let mut child = p2p(&folder.0)
            .args(["up", "--json", "--until-stdin-ends", "--listen", listen])
            .args(["--http", "127.0.0.1:0", "--state-dir"])
            .arg(&state)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("readable");
        let ready = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        Self {
            child,
            ready,
            state,
            folder: folder.0.clone(),
        }
    }

    /// The program as a client of this node.
    pub(crate) fn client(&self) -> Command {
        let mut command = p2p(&self.folder);
        command.arg("--state-dir").arg(&self.state);
        command
    }

    /// Runs the program as a client of this node to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.client().args(arguments).output().expect("it runs")
    }

    /// Asks it over HTTP with its token; status and body.
    pub(crate) fn get(&self, target: &str) -> (u16, String) {
        self.call("GET", target, "")
    }

    /// Asks it over HTTP with its token, with a body; status and body.
    pub(crate) fn call(&self, method: &str, target: &str, body: &str) -> (u16, String) {
        let file = self.ready["token_path"].as_str().expect("a path");
        let token = std::fs::read_to_string(file).expect("a token");
        let host = self.ready["http"].as_str().expect("an address");
        let mut stream = TcpStream::connect(host).expect("it listens");
        let (token, length) = (token.trim(), body.len());
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close");
        let head = format!("{head}\r\nContent-Length: {length}\r\nContent-Type: application/json");
        write!(
            stream,
            "{head}\r\nAuthorization: Bearer {token}\r\n\r\n{body}"
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("readable");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (status.expect("a status"), body.to_owned())
    }

    /// Kills it, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
    }

    /// Ends it politely.
    pub(crate) fn end(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
