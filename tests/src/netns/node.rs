//! A real node process, inside a namespace or on this machine's loopback, and its HTTP surface as the test sees it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::http::{self, Body, Head, Request};
use super::internet::wait_ready;
use super::namespace::{Namespace, Process};
use super::tool::{agent, announce, p2p, p2p_mini, until};

/// UDP port of every node: ports below 1,024 are not tried by peers, and homes do not share one.
pub const UDP_PORT: u16 = 6_660;
const HTTP: &str = "127.0.0.1:8080";
/// Longest silence of the HTTP surface; long polls stay below.
const SILENCE: Duration = Duration::from_secs(120);
const START: Duration = Duration::from_secs(20);
/// Lines of a node's log shown when its test fails.
const LOG_LINES: usize = 40;
/// Bytes of its events shown then.
const LOG_BYTES: u64 = 16 << 10;

/// Bytes both ways.
pub trait Wire: Read + Write + Send {}

impl<T: Read + Write + Send> Wire for T {}

/// Where the HTTP surface is found.
enum Reach {
    /// Behind an agent inside a namespace.
    Agent { socket: PathBuf, _agent: Process },
    /// On this machine.
    Loopback(SocketAddr),
}

/// Which program runs a node, and so which driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `p2p up`: the smol driver.
    P2p,
    /// `p2p-mini`: the thread driver.
    Mini,
}

/// A running node.
pub struct Node {
    /// Its identity.
    pub id: String,
    label: String,
    token: String,
    reach: Reach,
    log: PathBuf,
    _process: Process,
}

impl Node {
    /// Starts `p2p up` with more arguments in a namespace and waits until its HTTP surface answers.
    ///
    /// # Errors
    /// What did not happen.
    pub fn start(
        namespace: &Namespace,
        folder: &Path,
        label: &str,
        arguments: &[&str],
    ) -> Result<Self, String> {
        Self::start_program(
            (Program::P2p, &format!("0.0.0.0:{UDP_PORT}")),
            namespace,
            folder,
            label,
            arguments,
        )
    }

    /// The same with either program, and a UDP address to listen on.
    ///
    /// # Errors
    /// What did not happen.
    pub fn start_program(
        (program, listen): (Program, &str),
        namespace: &Namespace,
        folder: &Path,
        label: &str,
        arguments: &[&str],
    ) -> Result<Self, String> {
        let socket = folder.join(format!("{label}.sock"));
        let mut forward = namespace.command(&agent());
        forward
            .arg("forward")
            .arg(&socket)
            .arg(HTTP)
            .stdout(Stdio::piped());
        let forward = wait_ready(Process::start(&mut forward)?)?;
        let mut command = match program {
            Program::P2p => namespace.command(p2p()),
            Program::Mini => namespace.command(p2p_mini()),
        };
        if program == Program::P2p {
            command.args(["up", "--verbose"]);
        }
        command.env("RUST_LOG", "info");
        command.args(["--http", HTTP, "--listen"]).arg(listen);
        command.args(arguments);
        Self::launch(
            command,
            folder,
            label,
            Reach::Agent {
                socket,
                _agent: forward,
            },
        )
    }

    /// Starts `p2p up` with more arguments on loopback and waits until its HTTP surface answers.
    ///
    /// # Errors
    /// What did not happen.
    pub fn start_on_loopback(
        folder: &Path,
        label: &str,
        (udp, http): (SocketAddr, SocketAddr),
        arguments: &[&str],
    ) -> Result<Self, String> {
        let mut command = Command::new(p2p());
        command.args([
            "up",
            "--http",
            &http.to_string(),
            "--listen",
            &udp.to_string(),
        ]);
        command.args(arguments).stdin(Stdio::null());
        Self::launch(command, folder, label, Reach::Loopback(http))
    }

    fn launch(
        mut command: Command,
        folder: &Path,
        label: &str,
        reach: Reach,
    ) -> Result<Self, String> {
        let state = folder.join(label);
        let log = folder.join(format!("{label}.log"));
        let text = |e: io::Error| format!("{label}: {e}");
        let output = File::create(&log).map_err(text)?;
        command.arg("--state-dir").arg(&state);
        command
            .stdout(output.try_clone().map_err(text)?)
            .stderr(output);
        let process = Process::start(&mut command)?;
        let (id, token, label) = (String::new(), String::new(), label.to_owned());
        let mut node = Self {
            id,
            label,
            token,
            reach,
            log,
            _process: process,
        };
        let id = until(START, || {
            node.token = fs::read_to_string(state.join("token"))
                .ok()?
                .trim()
                .to_owned();
            let (_, answer) = node.call("GET", "/v1/node", b"").ok()?;
            answer["id"].as_str().map(ToOwned::to_owned)
        });
        match id {
            Some(id) => node.id = id,
            None => {
                let said = fs::read_to_string(&node.log).unwrap_or_default();
                return Err(format!("{}: no HTTP surface: {said}", node.label));
            }
        }
        Ok(node)
    }

    fn connect(&self, silence: Duration) -> io::Result<Box<dyn Wire>> {
        match &self.reach {
            Reach::Agent { socket, .. } => {
                let stream = UnixStream::connect(socket)?;
                stream.set_read_timeout(Some(silence))?;
                stream.set_write_timeout(Some(silence))?;
                Ok(Box::new(stream))
            }
            Reach::Loopback(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(Some(silence))?;
                stream.set_write_timeout(Some(silence))?;
                Ok(Box::new(stream))
            }
        }
    }

    /// What the surface is called: its `Host`.
    fn host(&self) -> String {
        match &self.reach {
            Reach::Agent { .. } => HTTP.to_owned(),
            Reach::Loopback(address) => address.to_string(),
        }
    }

    /// Address of the web page with a ticket that logs in once.
    ///
    /// # Panics
    /// Where the node gives no ticket.
    #[must_use]
    pub fn page_address(&self) -> String {
        let answer = self.ask("POST", "/v1/auth/tickets", b"");
        let ticket = answer["ticket"].as_str().expect("a ticket");
        format!("http://{}/#t={ticket}", self.host())
    }

    /// Whether its log has these words.
    #[must_use]
    pub fn has_said(&self, words: &str) -> bool {
        fs::read_to_string(&self.log).is_ok_and(|said| said.contains(words))
    }

    /// The addresses to hand out that it printed, in order.
    #[must_use]
    pub fn printed_addresses(&self) -> Vec<String> {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        let prefix = format!("p2p://{}@", self.id);
        let words = said.split_whitespace();
        let addresses = words.filter(|word| word.starts_with(&prefix));
        addresses.map(ToOwned::to_owned).collect()
    }

    /// Whether its first introducer knows it.
    #[must_use]
    pub fn registered(&self) -> bool {
        let answer = self.call("GET", "/v1/introducers", b"");
        answer.is_ok_and(|(_, answer)| answer["items"][0]["state"] == "registered")
    }

    /// Sends a request and gives status and JSON; null where the body is none.
    ///
    /// # Errors
    /// Where the surface cannot be reached.
    pub fn call(&self, method: &str, target: &str, body: &[u8]) -> Result<(u16, Value), String> {
        let (head, bytes) = self.fetch(method, target, body)?;
        Ok((
            head.status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        ))
    }

    /// Sends a request and gives the JSON of a success.
    ///
    /// # Panics
    /// With the problem that came instead.
    #[must_use]
    pub fn ask(&self, method: &str, target: &str, body: &[u8]) -> Value {
        let (status, answer) = self.call(method, target, body).expect("an answer");
        assert!(
            status < 300,
            "{}: {method} {target}: {status} {answer}",
            self.label
        );
        answer
    }

    /// Sends a request and gives the whole response.
    ///
    /// # Errors
    /// Where the surface cannot be reached or ends in the middle.
    pub fn fetch(
        &self,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> Result<(Head, Vec<u8>), String> {
        let (head, mut rest) = self.open(method, target, body)?;
        let mut bytes = Vec::new();
        let all = rest.read_to_end(&mut bytes);
        all.map_err(|e| format!("{}: {method} {target}: {e}", self.label))?;
        Ok((head, bytes))
    }

    /// Sends a request and gives the response's head, and its body to read.
    ///
    /// # Errors
    /// Where the surface cannot be reached.
    pub fn open(
        &self,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> Result<(Head, Body<Box<dyn Wire>>), String> {
        let text = |e: io::Error| format!("{}: {method} {target}: {e}", self.label);
        let stream = self.connect(SILENCE).map_err(text)?;
        let bearer = format!("Bearer {}", self.token);
        let content = if body.first() == Some(&b'{') {
            "application/json"
        } else {
            "application/octet-stream"
        };
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("prefer", "wait=30"),
            ("content-type", content),
        ];
        if body.is_empty() {
            headers.pop();
        }
        let request = Request {
            method,
            target,
            headers: &headers,
            body,
        };
        http::send(stream, &self.host(), &request).map_err(text)
    }
}

impl Node {
    /// What the node can say for its part in a failure: its log, its peers, its events.
    fn testimony(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.len().saturating_sub(LOG_LINES);
        let state = |target| match self.call("GET", target, b"") {
            Ok((_, answer)) => answer.to_string(),
            Err(silence) => silence,
        };
        format!(
            "--- {} said:\n{}\nnode: {}\npeers: {}\nevents:\n{}",
            self.label,
            lines[last..].join("\n"),
            state("/v1/node"),
            state("/v1/peers"),
            self.journal("")
        )
    }

    /// The paths that carried data to peers, one after the other: time of day, kind, address, reason.
    #[must_use]
    pub fn path_history(&self) -> Vec<String> {
        let journal = self.journal("connected,path_changed");
        let events = journal
            .lines()
            .filter_map(|line| line.strip_prefix("data: "));
        let events = events.filter_map(|text| serde_json::from_str::<Value>(text).ok());
        let changes = events.filter(|e| e["type"] == "path_changed" || e["type"] == "connected");
        let words = |event: Value| {
            let (path, at) = (&event["path"], event["at"].as_str().unwrap_or_default());
            let at = at.get(11..23).unwrap_or_default();
            format!(
                "{at} {} {} {}",
                path["kind"], path["remote"], event["reason"]
            )
        };
        changes.map(words).collect()
    }

    /// Events of some kinds (of all, where none is named) since the start, as far as the node keeps them.
    fn journal(&self, kinds: &str) -> String {
        let Ok(stream) = self.connect(Duration::from_millis(500)) else {
            return String::new();
        };
        let bearer = format!("Bearer {}", self.token);
        let headers = [("authorization", bearer.as_str())];
        let target = format!("/v1/events?since=00000000-0&types={kinds}");
        let request = Request {
            method: "GET",
            target: &target,
            headers: &headers,
            body: b"",
        };
        let mut text = Vec::new();
        if let Ok((_, body)) = http::send(stream, &self.host(), &request) {
            // Ends with the time-out, since events have no end.
            let _ = body.take(LOG_BYTES).read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            announce(&self.testimony());
        }
    }
}
