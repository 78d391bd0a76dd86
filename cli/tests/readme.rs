//! README's tour is run as it stands, with this build and free ports in place of the usual ones.

mod support;

use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use support::{Folder, code, p2p, stderr, stdout};

/// The shell text of all fences that follow the mark of the tour.
fn tour(readme: &str) -> String {
    let mut script = String::new();
    for part in readme.split("<!-- tour -->\n```sh\n").skip(1) {
        script.push_str(part.split("```").next().expect("a fence has an end"));
    }
    script
}

/// Ports below those that the system gives to connections: nothing else gets one between its choice here and its use
/// by a node.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Free ports, each once.
fn free_ports() -> impl Iterator<Item = u16> {
    let start = std::process::id() as usize * 16 % PORTS.len();
    PORTS.cycle().skip(start).filter(|port| {
        let place = ("127.0.0.1", *port);
        UdpSocket::bind(place).is_ok() && TcpListener::bind(place).is_ok()
    })
}

/// Ports in the text are exchanged for free ones.
fn with_free_ports(mut script: String) -> String {
    let mut free = free_ports();
    for port in [6660, 6661, 6662, 8080, 8081, 8082, 3000, 3001] {
        let free = free.next().expect("a free port");
        script = script
            .replace(
                &format!("http.server {port}"),
                &format!("http.server {free}"),
            )
            .replace(&format!(":{port}"), &format!(":{free}"));
    }
    script
}

#[test]
fn the_tour_works_as_it_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("README.md");
    for tool in ["curl", "python3"] {
        if Command::new(tool).arg("--version").output().is_err() {
            eprintln!("stepped aside: the tour needs {tool}");
            return;
        }
    }
    let folder = Folder::new("tour");
    let program = Path::new(env!("CARGO_BIN_EXE_p2p"))
        .parent()
        .expect("a folder");
    let script = with_free_ports(tour(&readme))
        .replace("cargo build --release\n", "")
        .replace("$PWD/target/release", &program.display().to_string());
    assert!(script.lines().count() > 20, "the tour was not found");
    let kill = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n";
    // Only the surroundings of the command are wanted: the tour runs in a shell.
    let surroundings = p2p(&folder.0);
    // A node that does not start would be waited for without an end.
    let mut shell = Command::new("timeout");
    for (name, value) in surroundings.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let script = format!(
        "set -e\n{kill}{}",
        script.replace("wait\n", "wait || true\n")
    );
    let output = shell
        .args(["300", "bash", "-c", &script])
        .current_dir(root)
        .output()
        .expect("bash");
    let text = stdout(&output);
    assert_eq!(code(&output), 0, "{text}{}", stderr(&output));
    for expected in [
        "p2p://",
        "└─ direct: ",
        "delivered to ben",
        "(says it is \"ada\"): good morning",
        "'s disk has ",
        "the same files",
        "the same",
        "\"rtt_ms\":",
        "\"text\":\"over HTTP\"",
        "/#t=",
        "http http://127.0.0.1:",
        "the same page",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
}
