//! Every example is compiled and run, and does what its page says.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Once;

use p2p_tests::api::eventually;
use p2p_tests::nodes::{Folder, Kind, Wish, start};

/// Runs an example, which cargo makes first where it is not there yet.
fn run(example: &str, arguments: &[&str]) -> Output {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        // As the tests of the whole workspace build them, so that nothing is built twice.
        cargo.args(["build", "--quiet", "--locked", "--workspace", "--examples"]);
        let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(status.expect("cargo runs").success());
    });
    let programs = Path::new(env!("CARGO_BIN_EXE_p2p-lab-agent")).parent();
    let program = programs.expect("a folder").join("examples").join(example);
    let mut command = Command::new(program);
    command.args(arguments).output().expect("starts")
}

/// What a run printed that ended well.
fn printed(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn the_engine_delivers_a_message_over_plain_sockets() {
    let said = printed(&run("embed_engine", &[]));
    assert_eq!(said, "ben hears b\"hello\"\ndelivered\n");
}

#[test]
fn an_application_in_the_loop_of_the_production_driver_delivers_a_message() {
    let said = printed(&run("embed_smol", &[]));
    assert_eq!(said, "ben hears: hello\nada knows that it was delivered\n");
}

#[test]
fn the_small_driver_runs_a_whole_node_in_a_program() {
    let said = printed(&run("embed_std", &[]));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert!(
        lines[0].starts_with("node ") && lines[0].contains("127.0.0.1:"),
        "{said}"
    );
    assert_eq!(lines[1..], ["HTTP/1.1 200 OK", "says its own id: true"]);
}

#[test]
fn an_http_client_of_the_standard_library_sends_a_message() {
    let folders = [Folder::new(), Folder::new()];
    let node = |folder: &Folder| start(Kind::Smol, &Wish::new(folder.path())).expect("starts");
    let (ada, ben) = (node(&folders[0]), node(&folders[1]));
    let token = std::fs::read_to_string(folders[0].path().join("token")).expect("a token");
    let http = ada.api.address.to_string();
    let peer = format!("{}@{}", ben.id, ben.udp);
    let said = printed(&run("http_client", &[&http, token.trim(), &peer, "hello"]));
    assert_eq!(said, "connected: \"direct\"\nmessage: \"delivered\"\n");
    let item = eventually("the message", || {
        let list = ben
            .api
            .get("/v1/inbox?type=message&wait=20")
            .expect(200)
            .json();
        list["items"].get(0).cloned()
    });
    assert_eq!(item["peer"], ada.id.to_string());
    assert_eq!(item["text"], "hello");

    let wrong = run("http_client", &[&http, "nonsense", &peer, "hello"]);
    assert!(!wrong.status.success());
    let why = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(why.contains("401"), "{why}");
}
