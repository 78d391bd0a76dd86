//! The cast of the demo: three child processes of this same program, each with its own state directory below a
//! temporary one. A child ends when its standard input does, so that none outlives the demo, whatever ends it.

use core::time::Duration;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::client::{Client, within};
use crate::exit;
use crate::failure::Failure;
use crate::place;

/// How long a node may take to start.
const START: Duration = Duration::from_secs(30);

/// One node that runs.
pub(super) struct Running {
    /// What it is called.
    pub name: &'static str,
    /// Its HTTP surface.
    pub client: Client,
    /// Its state directory.
    pub state: PathBuf,
    /// What it said when it was ready.
    pub ready: Value,
}

/// All nodes of the demo.
pub(super) struct Cast {
    folder: PathBuf,
    nodes: Vec<Running>,
    children: Vec<Child>,
}

impl Cast {
    /// Makes the temporary directory, for this user only.
    pub(super) fn new() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("p2p-demo-{}", std::process::id()));
        make_private(&folder).map_err(|e| {
            let what = format!("{} cannot be made", folder.display());
            Failure::new(exit::GENERIC, "no_state_directory", what)
                .because(e)
                .fix("Name another place with TMPDIR=DIR.")
        })?;
        Ok(Self {
            folder,
            nodes: Vec::new(),
            children: Vec::new(),
        })
    }

    /// Starts a node; the number chooses its ports: 6660 and 8080 for 0, others above, free ones where taken.
    pub(super) async fn start(
        &mut self,
        name: &'static str,
        number: u16,
        introducer: Option<&str>,
    ) -> Result<&Running, Failure> {
        let state = self.folder.join(name);
        let mut command = command(&state)?;
        command.args(["--listen", &udp_address(6_660 + number)]);
        command.args(["--http", &http_address(8_080 + number)]);
        match introducer {
            None => command.args(["--role", "introducer,relay,stun"]),
            Some(address) => command.args(["--name", name, "--introducer", address]),
        };
        let mut child = command.spawn().map_err(|e| not_started(name).because(e))?;
        let stdout = child.stdout.take();
        self.children.push(child);
        let line = smol::unblock(move || {
            let mut line = String::new();
            let read = stdout.map(|out| BufReader::new(out).read_line(&mut line));
            read.transpose().map(|_| line)
        });
        let line = within(START, line)
            .await
            .and_then(Result::ok)
            .unwrap_or_default();
        let ready: Value = serde_json::from_str(&line).unwrap_or_default();
        let http = ready["http"].as_str().and_then(|a| a.parse().ok());
        let (Some(http), Ok(token)) = (http, place::token(&state)) else {
            return Err(not_started(name).because("It did not say that it is ready."));
        };
        self.nodes.push(Running {
            name,
            client: Client::new(http, token),
            state,
            ready,
        });
        self.node(name)
    }

    /// A node by its name.
    pub(super) fn node(&self, name: &str) -> Result<&Running, Failure> {
        self.nodes
            .iter()
            .find(|n| n.name == name)
            .ok_or_else(|| not_started(name))
    }

    /// The nodes that have a name of their own at the introducer.
    pub(super) fn peers(&self) -> impl Iterator<Item = &Running> {
        self.nodes.iter().filter(|n| n.name != "introducer")
    }

    /// Lets the nodes say goodbye: peers first, so that they can still sign off at the introducer.
    pub(super) async fn end(&mut self) {
        for mut child in self.children.drain(..).rev() {
            drop(child.stdin.take());
            let ended = smol::unblock(move || child.wait()).await;
            log::debug!("a node ended: {ended:?}");
        }
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Err(e) = fs::remove_dir_all(&self.folder) {
            log::warn!("{} is left behind: {e}", self.folder.display());
        }
    }
}

/// This program as a node whose surroundings are the demo's, not the user's.
fn command(state: &Path) -> Result<Command, Failure> {
    let program = std::env::current_exe().map_err(|e| {
        Failure::new(
            exit::GENERIC,
            "no_program",
            "This program does not find itself",
        )
        .because(e)
    })?;
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("P2P_") && name != "P2P_LOG" {
            command.env_remove(name);
        }
    }
    command
        .args([
            "up",
            "--json",
            "--quiet",
            "--until-stdin-ends",
            "--state-dir",
        ])
        .arg(state)
        .env("XDG_CONFIG_HOME", state.with_extension("config"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    Ok(command)
}

fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A loopback address for UDP: this port where it is free, otherwise any.
fn udp_address(port: u16) -> String {
    let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    format!("127.0.0.1:{}", if free { port } else { 0 })
}

/// The same for HTTP.
fn http_address(port: u16) -> String {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    format!("127.0.0.1:{}", if free { port } else { 0 })
}

fn not_started(name: &str) -> Failure {
    Failure::new(
        exit::GENERIC,
        "not_started",
        format!("The node {name} did not start"),
    )
    .fix("Its own words stand above; P2P_LOG=debug shows more.")
}
