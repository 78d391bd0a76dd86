//! `p2p pipe` tells the truth: it succeeds only where the other application has taken everything.

mod support;

use std::io::Write as _;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use support::{Folder, Node, code, stderr};

/// Two nodes that are connected.
struct Two {
    ada: Node,
    ben: Node,
    folder: Folder,
}

impl Two {
    fn start(test: &str) -> Self {
        let folder = Folder::new(test);
        let (ada, ben) = (
            Node::start(&folder, "ada", &[]),
            Node::start(&folder, "ben", &[]),
        );
        let udp = ben.ready["udp"][0].as_str().expect("an address");
        let id = ben.ready["id"].as_str().expect("an id");
        let connected = ada.run(&["connect", &format!("{id}@{udp}")]);
        assert_eq!(code(&connected), 0, "{}", stderr(&connected));
        Self { ada, ben, folder }
    }

    fn ben_id(&self) -> &str {
        self.ben.ready["id"].as_str().expect("an id")
    }

    /// Sends a file of so many bytes.
    fn send(&self, bytes: usize) -> Child {
        let path = self.folder.path(&format!("{bytes}.file"));
        std::fs::write(&path, vec![0xA5; bytes]).expect("written");
        let file = std::fs::File::open(path).expect("it is there");
        let mut sender = self.ada.client();
        sender.args(["pipe", self.ben_id()]).stdin(file);
        sender.stdout(Stdio::null()).stderr(Stdio::piped());
        sender.spawn().expect("it starts")
    }

    fn receiver(&self) -> Command {
        let mut receiver = self.ben.client();
        receiver.args(["pipe", "--listen", "--no-stdin"]);
        receiver.stderr(Stdio::piped());
        receiver
    }
}

fn end(child: Child) -> Output {
    child.wait_with_output().expect("it ends")
}

#[test]
fn a_killed_receiver_fails_its_sender() {
    let two = Two::start("killed");
    let mut receiver = two.receiver();
    let mut receiver = receiver.stdout(Stdio::piped()).spawn().expect("it starts");
    let sender = two.send(30_000_000);
    // It takes the first bytes, and no more: its standard output is full.
    thread::sleep(Duration::from_secs(1));
    receiver.kill().expect("it runs");
    let sent = end(sender);
    assert_eq!(code(&sent), 6, "{}", stderr(&sent));
    let _ = receiver.wait();
}

#[test]
fn a_receiver_killed_before_it_has_written_a_small_file_fails_its_sender() {
    let two = Two::start("small");
    let mut receiver = two.receiver();
    let mut receiver = receiver.stdout(Stdio::piped()).spawn().expect("it starts");
    // More than a pipe holds, less than the node and the socket hold.
    let mut sender = two.send(200_000);
    thread::sleep(Duration::from_secs(1));
    assert!(
        sender.try_wait().expect("it runs").is_none(),
        "taken by nobody yet"
    );
    receiver.kill().expect("it runs");
    let sent = end(sender);
    assert_eq!(code(&sent), 6, "{}", stderr(&sent));
    let _ = receiver.wait();
}

#[test]
fn a_killed_node_of_the_receiver_fails_the_sender() {
    let two = Two::start("killed-node");
    let mut receiver = two.receiver();
    let mut receiver = receiver.stdout(Stdio::piped()).spawn().expect("it starts");
    let sender = two.send(30_000_000);
    thread::sleep(Duration::from_secs(1));
    let Two {
        ada: _ada,
        ben,
        folder: _folder,
    } = two;
    drop(ben);
    // Nobody reads what it writes.
    receiver.kill().expect("it runs");
    let _ = receiver.wait();
    let sent = end(sender);
    assert_eq!(code(&sent), 6, "{}", stderr(&sent));
}

#[test]
fn a_full_disk_fails_both_sides() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let Ok(full) = full else {
        eprintln!("skipped: no /dev/full here");
        return;
    };
    for bytes in [10, 5_000_000] {
        let two = Two::start("full");
        let receiver = two
            .receiver()
            .stdout(full.try_clone().expect("a copy"))
            .spawn();
        let receiver = receiver.expect("it starts");
        let sent = end(two.send(bytes));
        let received = end(receiver);
        assert_eq!(code(&received), 1, "{}", stderr(&received));
        assert!(
            stderr(&received).contains("[output_failed]"),
            "{}",
            stderr(&received)
        );
        assert_eq!(code(&sent), 6, "{}", stderr(&sent));
    }
}

#[test]
fn a_killed_sender_fails_its_receiver() {
    let two = Two::start("killed-sender");
    let receiver = two
        .receiver()
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut sender = two.ada.client();
    sender.args(["pipe", two.ben_id()]).stdin(Stdio::piped());
    let mut sender = sender.stderr(Stdio::null()).spawn().expect("it starts");
    let mut stdin = sender.stdin.take().expect("piped");
    stdin.write_all(&[7; 500_000]).expect("written");
    thread::sleep(Duration::from_millis(500));
    sender.kill().expect("it runs");
    let _ = sender.wait();
    drop(stdin);
    let received = end(receiver);
    assert_eq!(code(&received), 6, "{}", stderr(&received));
}

#[test]
fn a_slow_receiver_holds_the_senders_success_back() {
    let two = Two::start("slow");
    let mut receiver = two.receiver();
    let receiver = receiver.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut sender = two.send(300_000);
    thread::sleep(Duration::from_secs(1));
    assert!(
        sender.try_wait().expect("it runs").is_none(),
        "taken by nobody yet"
    );
    let received = end(receiver);
    assert_eq!(code(&received), 0, "{}", stderr(&received));
    assert_eq!(received.stdout.len(), 300_000);
    let sent = end(sender);
    assert_eq!(code(&sent), 0, "{}", stderr(&sent));
}
