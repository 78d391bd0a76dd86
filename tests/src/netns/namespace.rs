//! One network namespace: made, furnished, used to run programs in, and removed with all that runs in it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::tool::{run, run_with_input};

/// What the names of all our namespaces begin with; the process id follows.
const PREFIX: &str = "p2plab-";

/// A network namespace of this process.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace with loopback up.
    ///
    /// # Errors
    /// What `ip` complained of.
    pub fn create(label: &str) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{count}-{label}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let namespace = Self { name };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Runs `ip` with words separated by white space.
    ///
    /// # Errors
    /// What `ip` complained of.
    pub fn ip(&self, words: &str) -> Result<String, String> {
        run(Command::new("ip")
            .args(["-n", &self.name])
            .args(words.split_whitespace()))
    }

    /// Lays a cable to another namespace and gives both its ends an address with prefix length.
    ///
    /// # Errors
    /// What `ip` complained of.
    pub fn cable(&self, end: (&str, &str), other: (&Self, &str, &str)) -> Result<(), String> {
        let (device, address) = end;
        let (peer, peer_device, peer_address) = other;
        self.ip(&format!(
            "link add name {device} type veth peer name {peer_device} netns {}",
            peer.name
        ))?;
        for (side, device, address) in [(self, device, address), (peer, peer_device, peer_address)]
        {
            side.ip(&format!("addr add {address} dev {device}"))?;
            side.ip(&format!("link set {device} up"))?;
        }
        Ok(())
    }

    /// Loads nftables rules; every rule and every closing brace stands on a line of its own.
    ///
    /// # Errors
    /// What `nft` complained of.
    pub fn nft(&self, rules: &str) -> Result<(), String> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "nft", "-f", "-"]);
        run_with_input(&mut command, rules).map(drop)
    }

    /// Lets the namespace forward between its cables, both families.
    ///
    /// # Errors
    /// What `sysctl` complained of.
    pub fn forward(&self) -> Result<(), String> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "sysctl", "-qw"]);
        command.args(["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
        run(&mut command).map(drop)
    }

    /// A command that runs inside, and dies with the thread that started it.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args([
            "netns",
            "exec",
            &self.name,
            "setpriv",
            "--pdeathsig",
            "KILL",
            "--",
        ]);
        command.arg(program).stdin(Stdio::null());
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Ends what runs inside and removes the namespace; what is gone already is no matter.
fn remove(name: &str) {
    let inside = run(Command::new("ip").args(["netns", "pids", name])).unwrap_or_default();
    for pid in inside.split_whitespace() {
        let _ = run(Command::new("kill").args(["-KILL", pid]));
    }
    let _ = run(Command::new("ip").args(["netns", "del", name]));
}

/// Removes namespaces of processes that are gone.
fn sweep() {
    let all = run(Command::new("ip").args(["netns", "list"])).unwrap_or_default();
    let names = all
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    for name in names {
        let owner = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| fs::metadata(format!("/proc/{pid}")).is_err()) {
            remove(name);
        }
    }
}

/// Tries what the laboratory needs.
///
/// # Errors
/// Why it cannot be built here.
pub fn missing() -> Result<(), String> {
    sweep();
    let try_out = Namespace::create("try")?;
    try_out.nft(&super::router::Nat::Random.rules())?;
    run(try_out.command(Path::new("true")).stdin(Stdio::null())).map(drop)
}

/// A program inside a namespace that ends when this is dropped.
pub struct Process(Child);

impl Process {
    /// Starts it.
    ///
    /// # Errors
    /// Why it did not start.
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let child = command.spawn();
        child.map(Self).map_err(|e| format!("{command:?}: {e}"))
    }

    /// The running child.
    pub const fn child(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
