//! Running the system's tools, finding the binaries under test, and printing past the test harness's capture.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// Prints a line that is seen even where the test passes: the harness captures `println!`, not the stream itself.
pub fn announce(text: &str) {
    // Nobody to read it is no reason to fail.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says that a test is skipped and why.
///
/// # Panics
/// Where the environment variable `CI` is set: there a test that proves nothing must not pass.
pub fn step_aside(test: &str, why: &str) {
    let is_ci = env::var_os("CI").is_some_and(|value| !value.is_empty());
    assert!(!is_ci, "{test}: would be skipped, which CI forbids: {why}");
    announce(&format!("{test}: skipped: {why}"));
}

/// Whether the laboratory cannot be built here; says why, once for each test.
///
/// # Panics
/// As [`step_aside`].
#[must_use]
pub fn skipped(test: &str) -> bool {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    let missing = MISSING.get_or_init(|| super::namespace::missing().err());
    if let Some(why) = missing {
        step_aside(test, &format!("needs root, ip netns and nft: {why}"));
    }
    missing.is_some()
}

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// A text with the command and what it complained of.
pub fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output();
    judge(command, output)
}

/// Runs a command with text on its standard input.
///
/// # Errors
/// As [`run`].
pub fn run_with_input(command: &mut Command, input: &str) -> Result<String, String> {
    let command = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = command.spawn().and_then(|mut child| {
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    });
    judge(command, output)
}

fn judge(command: &Command, output: io::Result<Output>) -> Result<String, String> {
    let output = output.map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{command:?}: {}: {}",
        output.status,
        complaint.trim()
    ))
}

/// The folder where cargo puts this build's binaries.
fn binaries() -> PathBuf {
    let test = env::current_exe().expect("a test knows its own path");
    let deps = test.parent().expect("a test lies in deps/");
    deps.parent()
        .expect("deps/ lies in the profile's folder")
        .to_owned()
}

/// Where tests leave pictures for people.
#[must_use]
pub fn pictures() -> PathBuf {
    binaries().with_file_name("screenshots")
}

/// The laboratory's agent, which cargo builds before the tests of this package.
#[must_use]
pub fn agent() -> PathBuf {
    binaries().join("p2p-lab-agent")
}

/// The `p2p` binary of this build, built on the first call; or another one that understands `up`, named by the
/// environment variable `P2P_UNDER_TEST`.
///
/// # Panics
/// Where it does not build.
#[must_use]
pub fn p2p() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| match env::var_os("P2P_UNDER_TEST") {
        Some(other) => other.into(),
        None => build("p2p", "p2p"),
    })
}

/// The `p2p-mini` binary of this build, built on the first call.
///
/// # Panics
/// Where it does not build.
#[must_use]
pub fn p2p_mini() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("p2p-driver-std", "p2p-mini"))
}

fn build(package: &str, binary: &str) -> PathBuf {
    let folder = binaries();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["build", "--quiet", "-p", package, "--bin", binary])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if folder.ends_with("release") {
        build.arg("--release");
    }
    run(&mut build).expect("the binary builds");
    folder.join(binary)
}

/// Asks again and again until there is an answer; `None` after `patience`.
pub fn until<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(Duration::from_millis(25));
    }
}
