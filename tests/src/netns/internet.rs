//! The laboratory's map: an internet with a public host for the introducer and two homes behind routers.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::namespace::{Namespace, Process};
use super::router::{Nat, Router};
use super::tool::{agent, run};

/// The introducer's address.
pub const INTRODUCER: &str = "192.0.2.2";
/// A second address of the introducer's host, for probes.
const INTRODUCER_OTHER: &str = "192.0.2.3";

/// One of the two homes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Behind 198.51.100.2.
    A,
    /// Behind 203.0.113.2.
    B,
}

struct Home {
    peer: Namespace,
    router: Router,
}

/// All namespaces of one test, and a folder for what its programs write.
pub struct Internet {
    homes: [Home; 2],
    introducer: Namespace,
    backbone: Namespace,
    folder: PathBuf,
    /// One laboratory at a time, because times are measured in it.
    _turn: MutexGuard<'static, ()>,
}

impl Internet {
    /// Builds it.
    ///
    /// # Errors
    /// What the tools complained of.
    pub fn build(nat_a: Nat, nat_b: Nat) -> Result<Self, String> {
        static TURN: Mutex<()> = Mutex::new(());
        // A test that failed in its turn does not spoil the next one's.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let backbone = Namespace::create("internet")?;
        backbone.forward()?;
        let introducer = Namespace::create("introducer")?;
        introducer.cable(
            ("eth0", "192.0.2.2/24"),
            (&backbone, "public", "192.0.2.1/24"),
        )?;
        introducer.ip(&format!("addr add {INTRODUCER_OTHER}/24 dev eth0"))?;
        introducer.ip("route add default via 192.0.2.1")?;
        let home_a = home(&backbone, "a", "198.51.100", "192.168.1", nat_a)?;
        let home_b = home(&backbone, "b", "203.0.113", "192.168.2", nat_b)?;
        Ok(Self {
            homes: [home_a, home_b],
            introducer,
            backbone,
            folder: scratch_folder()?,
            _turn: turn,
        })
    }

    const fn home(&self, side: Side) -> &Home {
        match side {
            Side::A => &self.homes[0],
            Side::B => &self.homes[1],
        }
    }

    /// The namespace of a peer.
    #[must_use]
    pub const fn peer(&self, side: Side) -> &Namespace {
        &self.home(side).peer
    }

    /// The router of a home.
    #[must_use]
    pub const fn router(&self, side: Side) -> &Router {
        &self.home(side).router
    }

    /// The namespace of the introducer.
    #[must_use]
    pub const fn introducer(&self) -> &Namespace {
        &self.introducer
    }

    /// Where programs of this laboratory keep their state; gone with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Drops this share of all packets, in each direction, that pass through the internet.
    ///
    /// # Errors
    /// What `nft` complained of.
    pub fn lose_percent(&self, percent: u32) -> Result<(), String> {
        self.backbone.nft(&format!(
            "flush ruleset
table ip weather {{
    chain forward {{
        type filter hook forward priority 0;
        numgen random mod 100 < {percent} drop
    }}
}}
"
        ))
    }

    /// Lets the introducer's host answer probes until the returned process is dropped.
    ///
    /// # Errors
    /// Why it does not answer.
    pub fn reflectors(&self) -> Result<Process, String> {
        let mut command = self.introducer.command(&agent());
        command
            .arg("reflect")
            .args(Self::reflector_addresses())
            .stdout(Stdio::piped());
        wait_ready(Process::start(&mut command)?)
    }

    fn reflector_addresses() -> [String; 3] {
        [
            format!("{INTRODUCER}:7001"),
            format!("{INTRODUCER}:7002"),
            format!("{INTRODUCER_OTHER}:7001"),
        ]
    }

    /// How a peer's socket looks from three places; the [`Internet::reflectors`] must run.
    ///
    /// # Errors
    /// What the probe complained of.
    pub fn mappings(&self, side: Side, port: u16) -> Result<Vec<String>, String> {
        let mut command = self.peer(side).command(&agent());
        command
            .arg("map")
            .arg(format!("0.0.0.0:{port}"))
            .args(Self::reflector_addresses());
        Ok(run(&mut command)?.lines().map(ToOwned::to_owned).collect())
    }

    /// From where a peer's socket is reached that has sent to one reflector alone.
    ///
    /// # Errors
    /// What the probe complained of.
    pub fn strangers_let_in(&self, side: Side, port: u16) -> Result<Vec<String>, String> {
        let [remote, ..] = Self::reflector_addresses();
        let mut command = self.peer(side).command(&agent());
        command.args(["filter", &format!("0.0.0.0:{port}"), &remote]);
        Ok(run(&mut command)?.lines().map(ToOwned::to_owned).collect())
    }
}

impl Drop for Internet {
    fn drop(&mut self) {
        // A folder that stays is untidy, not wrong.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Makes a folder with a short name, because the path of a Unix socket has room for 107 bytes.
///
/// # Errors
/// What the system says.
pub fn scratch_folder() -> Result<PathBuf, String> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("p2plab-{}-{count}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(folder)
}

fn home(
    backbone: &Namespace,
    label: &str,
    outer: &str,
    inner: &str,
    nat: Nat,
) -> Result<Home, String> {
    let router = Namespace::create(&format!("router-{label}"))?;
    let peer = Namespace::create(&format!("peer-{label}"))?;
    let gateway = format!("{outer}.1");
    let cable = format!("to-{label}");
    router.cable(
        ("wan", &format!("{outer}.2/24")),
        (backbone, &cable, &format!("{gateway}/24")),
    )?;
    peer.cable(
        ("eth0", &format!("{inner}.10/24")),
        (&router, "lan", &format!("{inner}.1/24")),
    )?;
    peer.ip(&format!("route add default via {inner}.1"))?;
    let router = Router::new(router, &gateway, nat)?;
    Ok(Home { peer, router })
}

/// Waits for the agent's word that it listens.
///
/// # Errors
/// What came instead.
pub fn wait_ready(mut process: Process) -> Result<Process, String> {
    let output = process
        .child()
        .stdout
        .take()
        .ok_or("the agent's output is not piped")?;
    let mut line = String::new();
    BufReader::new(output)
        .read_line(&mut line)
        .map_err(|e| e.to_string())?;
    if line.trim() == "ready" {
        Ok(process)
    } else {
        Err(format!("the agent said {line:?}"))
    }
}
