//! Real nodes driven by real commands: an introducer and two peers, all levels, and what happens when a node is
//! started wrongly or twice.

mod support;

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Output, Stdio};

use serde_json::Value;
use support::{Folder, Node, code, json_lines, p2p, stderr, stdout};

/// An introducer, ada and ben; both registered.
struct Three {
    introducer: Node,
    ada: Node,
    ben: Node,
    _folder: Folder,
}

impl Three {
    fn start(test: &str) -> Self {
        let folder = Folder::new(test);
        let introducer = Node::start(&folder, "introducer", &["--role", "introducer,relay,stun"]);
        let line = introducer.ready["introducer_address"]
            .as_str()
            .expect("a line")
            .to_owned();
        let peer =
            |name: &str| Node::start(&folder, name, &["--name", name, "--introducer", &line]);
        let (ada, ben) = (peer("ada"), peer("ben"));
        let three = Self {
            introducer,
            ada,
            ben,
            _folder: folder,
        };
        for node in [&three.ada, &three.ben] {
            eventually(|| {
                let status = &json_lines(&node.run(&["--json", "status"]))[0];
                status["node"]["introducers"][0]["state"] == "registered"
            });
        }
        three
    }
}

/// Looks again until it is so; a test that waits in vain fails by the deadline.
fn eventually(mut so: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !so() {
        assert!(std::time::Instant::now() < end, "it did not come about");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn ok(output: &Output) -> String {
    assert_eq!(code(output), 0, "{}{}", stdout(output), stderr(output));
    stdout(output)
}

#[test]
fn two_peers_find_each_other_and_talk_at_every_level() {
    let three = Three::start("talk");
    let (ada, ben) = (&three.ada, &three.ben);
    let found = json_lines(&ada.run(&["--json", "search", "ben"]));
    assert_eq!(found[0]["items"][0]["id"], ben.ready["id"]);
    assert_eq!(
        found[0]["items"][0]["fingerprint"],
        ben.ready["fingerprint"]
    );
    assert!(ok(&ada.run(&["connect", "ben"])).starts_with("connected to ben: "));
    ok(&ada.run(&["ping", "ben", "--until-direct", "-i", "0.1"]));
    assert!(ok(&ada.run(&["why", "ben"])).contains("└─ direct: "));
    assert!(ok(&ada.run(&["status"])).contains("direct 127.0.0.1:"));
    assert!(ok(&ada.run(&["msg", "ben", "good morning"])).contains("delivered to ben"));
    ok(&ada.run(&["send-datagram", "ben", "catch"]));
    assert_eq!(
        ok(&ada.run(&["request", "ben", "echo", "to and fro"])),
        "to and fro"
    );
    let hello: Value = serde_json::from_str(&ok(&ada.run(&["request", "ben", "node.hello"])))
        .expect("node.hello answers JSON");
    assert_eq!(hello["name"], "ben");
    let nobody = ada.run(&["request", "ben", "no.such"]);
    assert_eq!(code(&nobody), 5, "{}", stderr(&nobody));
    let tail = json_lines(&ben.run(&["--json", "tail", "--ack", "-n", "2"]));
    let mut got: Vec<&str> = tail
        .iter()
        .filter_map(|l| l["data"]["text"].as_str())
        .collect();
    got.sort_unstable();
    assert_eq!(got, ["catch", "good morning"]);
    let status = &json_lines(&ben.run(&["--json", "status"]))[0];
    assert_eq!(status["node"]["inbox"]["items"], 0, "tail --ack freed them");
}

#[test]
fn two_who_share_nothing_meet_by_a_link_and_know_each_other_after_a_restart() {
    let folder = Folder::new("invite");
    let introducer = Node::start(&folder, "introducer", &["--role", "introducer,relay,stun"]);
    let line = introducer.ready["introducer_address"]
        .as_str()
        .expect("a line");
    // Ada shows no address, so that the link leads through the introducer, of which ben knows nothing.
    let hidden = ["--name", "ada", "--introducer", line, "--no-direct"];
    let ada = Node::start(&folder, "ada", &hidden);
    let ben = Node::start(&folder, "ben", &["--name", "ben"]);
    let made = json_lines(&ada.run(&["--json", "invite", "my brother"]));
    let link = made[0]["link"].as_str().expect("a link");
    let text = ok(&ada.run(&["invite", "--qr"]));
    assert!(text.contains('█') && text.contains("\np2p:j/"), "{text}");
    let joined = ok(&ben.run(&["join", link]));
    assert!(joined.starts_with("ada is your contact now"), "{joined}");
    assert!(ok(&ada.run(&["msg", "my brother", "hello"])).contains("delivered to"));
    assert!(ok(&ben.run(&["msg", "ada", "hello"])).contains("delivered to ada"));

    let invites = ok(&ada.run(&["invites"]));
    assert!(
        invites.contains("0 of 1") && invites.contains("1 of 1"),
        "{invites}"
    );
    let open = &json_lines(&ada.run(&["--json", "invites"]))[0]["items"];
    let open = open
        .as_array()
        .expect("a list")
        .iter()
        .find(|i| i["uses_left"] == 1);
    let id = open.and_then(|i| i["id"].as_str()).expect("the second");
    ok(&ada.run(&["invites", "revoke", &id[..6]]));
    let mangled = ben.run(&["join", &link[..link.len() - 3]]);
    assert_eq!(code(&mangled), 2, "{}", stderr(&mangled));
    assert!(
        stderr(&mangled).contains("[invite_invalid]"),
        "{}",
        stderr(&mangled)
    );
    let own = ada.run(&["join", link]);
    assert!(stderr(&own).contains("[own_id]"), "{}", stderr(&own));

    // Ben learnt of the introducer by the link alone; it is there again after a restart, and so is ada.
    drop(ben);
    let ben = Node::start(&folder, "ben", &["--name", "ben"]);
    assert!(ok(&ben.run(&["contacts"])).contains("ada"));
    eventually(|| code(&ben.run(&["msg", "ada", "back again"])) == 0);
}

#[test]
fn a_pipe_carries_both_directions_to_their_ends() {
    let three = Three::start("pipe");
    let forth: Vec<u8> = (0..3_000_000_u32)
        .map(|i| (i.wrapping_mul(i) >> 7) as u8)
        .collect();
    let back = b"and back".to_vec();
    let mut listener = three.ben.client();
    listener.args(["pipe", "--listen"]).stdin(Stdio::piped());
    let mut listener = listener.stdout(Stdio::piped()).spawn().expect("it starts");
    listener
        .stdin
        .take()
        .expect("piped")
        .write_all(&back)
        .expect("written");
    let mut sender = three.ada.client();
    sender.args(["pipe", "ben"]).stdin(Stdio::piped());
    let mut sender = sender.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = sender.stdin.take().expect("piped");
    let data = forth.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&data).expect("written"));
    // The sender does not end before somebody has read what the listener writes.
    let got_forth = std::thread::spawn(move || listener.wait_with_output().expect("it ends"));
    let got_back = sender.wait_with_output().expect("it ends");
    let got_forth = got_forth.join().expect("no panic");
    writer.join().expect("no panic");
    assert_eq!(code(&got_back), 0);
    assert_eq!(code(&got_forth), 0);
    assert!(
        got_back.stdout == back,
        "{} bytes came back",
        got_back.stdout.len()
    );
    assert!(
        got_forth.stdout == forth,
        "{} bytes arrived",
        got_forth.stdout.len()
    );
}

/// A web application that answers one request with its path.
fn application() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let reader = std::io::BufReader::new(stream.try_clone().expect("a second handle"));
        let lines = reader.lines().map_while(Result::ok);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let path = head[0].split(' ').nth(1).expect("a path").to_owned();
        let length = path.len();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{path}"
        )
        .expect("sent");
    });
    format!("http://{address}")
}

#[test]
fn a_web_application_is_offered_and_taken_back() {
    let three = Three::start("services");
    let (ada, ben) = (&three.ada, &three.ben);
    ok(&ada.run(&["connect", "ben"]));
    let url = application();
    let id = ada.ready["id"].as_str().expect("an id");
    let offered = ok(&ben.run(&["services", "http", "web", &url, "--allow", id]));
    assert!(offered.contains(&url), "{offered}");
    let listed = ok(&ben.run(&["services"]));
    let row = listed
        .lines()
        .find(|line| line.starts_with("web"))
        .expect("listed");
    assert!(
        row.contains(&format!("http {url}")) && row.contains(&id[..10]),
        "{row}"
    );
    let asked = || ada.get("/v1/peers/ben/services/web/photos?n=1");
    assert_eq!(asked(), (200, "/photos?n=1".to_owned()));
    assert!(ok(&ben.run(&["services", "remove", "web"])).contains("no more"));
    assert_eq!(asked().0, 404);
    // What the node refuses is told as everywhere.
    let refused = ben.run(&[
        "services",
        "http",
        "web",
        "http://10.0.0.1:80",
        "--allow",
        "anyone",
    ]);
    assert_eq!(code(&refused), 2, "{}", stderr(&refused));
    let hook = ok(&ben.run(&["services", "webhook", "hook", &url, "--allow", "anyone"]));
    assert!(hook.contains("whsec_"), "{hook}");
}

#[test]
fn what_is_offered_and_forwarded_is_there_again_after_a_restart() {
    let folder = Folder::new("again");
    let start = || Node::start(&folder, "ada", &[]);
    let ada = start();
    ok(&ada.run(&[
        "services",
        "tcp",
        "shell",
        "127.0.0.1:22",
        "--allow",
        "anyone",
    ]));
    ok(&ada.run(&["services", "inbox", "gone"]));
    ok(&ada.run(&["services", "remove", "gone"]));
    let before = ok(&ada.run(&["services"]));
    drop(ada);
    let ada = start();
    assert_eq!(ok(&ada.run(&["services"])), before);
}

#[test]
fn a_port_leads_to_a_program_of_a_peer() {
    let three = Three::start("forward");
    let (ada, ben) = (&three.ada, &three.ben);
    // Not connected yet: the command sees to it.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let target = listener.local_addr().expect("an address").to_string();
    let offered = ok(&ben.run(&["services", "tcp", "shout", &target, "--allow", "anyone"]));
    assert!(offered.contains("p2p forward PEER/shout"), "{offered}");
    let line = ok(&ada.run(&["forward", "ben/shout"]));
    let (listen, rest) = line.split_once(' ').expect("an address first");
    assert_eq!(rest.trim(), "leads to shout of ben");
    let mut program = TcpStream::connect(listen).expect("the port is there");
    program.write_all(b"hello").expect("taken");
    program.shutdown(Shutdown::Write).expect("ended");
    let (mut application, _) = listener.accept().expect("it came through");
    let mut said = String::new();
    application.read_to_string(&mut said).expect("an end");
    application
        .write_all(said.to_uppercase().as_bytes())
        .expect("taken");
    drop(application);
    let mut answer = String::new();
    program.read_to_string(&mut answer).expect("an end");
    assert_eq!(answer, "HELLO");
    let listed = ok(&ada.run(&["forward"]));
    let row = listed.lines().find(|line| line.starts_with("shout@ben"));
    let row = row.expect("listed");
    assert!(
        row.contains(listen) && row.contains("shout of ") && row.ends_with("1            -"),
        "{row}"
    );
    let taken = ada.run(&["forward", "ben/shout", "--listen", &target]);
    assert_eq!(code(&taken), 8, "{}", stderr(&taken));
    assert!(stderr(&taken).contains("--listen"), "{}", stderr(&taken));
    assert!(ok(&ada.run(&["forward", "--remove", "shout@ben"])).contains("closed"));
    let gone = ada.run(&["forward", "--remove", "shout@ben"]);
    assert_eq!(code(&gone), 5, "{}", stderr(&gone));
}

#[test]
fn a_name_that_nobody_has_ends_with_5() {
    let three = Three::start("nobody");
    let output = three.ada.run(&["connect", "nobody"]);
    assert_eq!(code(&output), 5, "{}", stderr(&output));
    let introducers = three.introducer.run(&["--json", "status"]);
    assert_eq!(
        json_lines(&introducers)[0]["node"]["roles"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
}

#[test]
fn a_state_directory_belongs_to_one_process_and_keeps_the_identity() {
    let folder = Folder::new("state");
    let node = Node::start(&folder, "ada", &[]);
    let id = node.ready["id"].clone();
    let second = p2p(&folder.0)
        .args([
            "up",
            "--listen",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
            "--state-dir",
        ])
        .arg(folder.path("ada"))
        .output()
        .expect("it runs");
    assert_eq!(code(&second), 8, "{}", stderr(&second));
    assert_eq!(stderr(&second).lines().count(), 3, "{}", stderr(&second));
    node.end();
    let again = Node::start(&folder, "ada", &[]);
    assert_eq!(again.ready["id"], id);
}

#[test]
fn a_taken_port_is_named_with_the_option_that_changes_it() {
    let folder = Folder::new("port");
    let node = Node::start(&folder, "ada", &[]);
    let taken = |name: &str, list: bool| {
        let value = if list {
            &node.ready[name][0]
        } else {
            &node.ready[name]
        };
        value.as_str().expect("an address").to_owned()
    };
    for (option, address, other) in [
        ("--listen", taken("udp", true), ["--http", "127.0.0.1:0"]),
        ("--http", taken("http", false), ["--listen", "127.0.0.1:0"]),
    ] {
        let output = p2p(&folder.0)
            .args(["up", option, &address])
            .args(other)
            .output();
        let output = output.expect("it runs");
        assert_eq!(code(&output), 8, "{}", stderr(&output));
        assert!(stderr(&output).contains(option), "{}", stderr(&output));
    }
}

#[test]
fn the_token_of_another_node_ends_with_4() {
    let folder = Folder::new("token");
    let (ada, ben) = (
        Node::start(&folder, "ada", &[]),
        Node::start(&folder, "ben", &[]),
    );
    let http = ben.ready["http"].as_str().expect("an address");
    let output = ada.run(&["--api", http, "status"]);
    assert_eq!(code(&output), 4, "{}", stderr(&output));
    let output = p2p(&folder.0)
        .args(["--api", http, "status"])
        .output()
        .expect("it runs");
    assert_eq!(code(&output), 4, "no token at all: {}", stderr(&output));
    let token = ok(&ben.run(&["token", "print"]));
    assert_eq!(token.trim().len(), 64);
    let link = ok(&ben.run(&["ui", "--no-open"]));
    assert!(link.starts_with(&format!("http://{http}/#t=")), "{link}");
}

/// Whoever listens where a node was gets nothing: neither after a crash nor at the port that nodes have by default.
#[test]
fn the_token_goes_to_no_other_process() {
    let folder = Folder::new("impostor");
    let node = Node::start(&folder, "ada", &[]);
    let http = node.ready["http"].as_str().expect("an address").to_owned();
    let state = folder.path("ada");
    assert_eq!(code(&node.run(&["status"])), 0);
    // Killed: what it left in its state directory stays.
    drop(node);
    let left = std::fs::read_to_string(state.join("http-address")).expect("it is left");
    assert_eq!(left.trim(), format!("http://{http}"));
    let impostor = std::net::TcpListener::bind(&http).expect("the port is free again");
    impostor.set_nonblocking(true).expect("possible");
    let status = p2p(&folder.0)
        .arg("--state-dir")
        .arg(&state)
        .arg("status")
        .output();
    let status = status.expect("it runs");
    assert_eq!(code(&status), 3, "{}", stderr(&status));
    assert!(impostor.accept().is_err(), "nobody called");
}
