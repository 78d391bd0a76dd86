//! Files between real nodes: what arrives, what is refused, and what the exit codes say.

mod support;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use support::{Folder, Node, code, json_lines, stderr, stdout};

/// Two nodes that chose each other.
struct Two {
    ada: Node,
    ben: Node,
    folder: Folder,
}

impl Two {
    fn start(test: &str) -> Self {
        let folder = Folder::new(test);
        let start = |name| Node::start(&folder, name, &[]);
        let (ada, ben) = (start("ada"), start("ben"));
        let place = |node: &Node| {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            format!(
                "{}@{}",
                text(&node.ready["id"]),
                text(&node.ready["udp"][0])
            )
        };
        let connected = ada.run(&["connect", &place(&ben)]);
        assert_eq!(code(&connected), 0, "{}", stderr(&connected));
        let id = ada.ready["id"].as_str().expect("an id");
        let chosen = ben.run(&["contacts", "name", id, "my friend"]);
        assert_eq!(code(&chosen), 0, "{}", stderr(&chosen));
        Self { ada, ben, folder }
    }

    fn ben_id(&self) -> &str {
        self.ben.ready["id"].as_str().expect("an id")
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, bytes).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn recv(&self, more: &[&str]) -> Child {
        let mut command = self.ben.client();
        command
            .args(["recv", "--yes", "--json", "--out"])
            .arg(self.folder.path("got"))
            .args(more);
        spawn(command)
    }
}

fn spawn(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

fn end(child: Child) -> Output {
    child.wait_with_output().expect("it ends")
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn what_is_sent_is_there_when_the_sender_succeeds() {
    let two = Two::start("files");
    let big: Vec<u8> = (0..5_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 9) as u8)
        .collect();
    let one = two.write("out/one.bin", &big);
    two.write("out/folder/a/b", b"deep");
    two.write("out/folder/empty", b"");
    let folder = two.folder.path("out/folder");
    let recv = two.recv(&[]);
    let sent = two.ada.run(&[
        "send",
        &one,
        folder.to_str().expect("UTF-8"),
        "--to",
        two.ben_id(),
    ]);
    assert_eq!(code(&sent), 0, "{}", stderr(&sent));
    assert!(
        stdout(&sent).contains("'s disk has 3 files, 5.0 MB"),
        "{}",
        stdout(&sent)
    );
    let got = two.folder.path("got");
    assert!(read(&got.join("one.bin")) == big);
    assert_eq!(read(&got.join("folder/a/b")), b"deep");
    assert_eq!(read(&got.join("folder/empty")), b"");
    assert!(!got.join(".p2p-part").exists());
    let received = end(recv);
    assert_eq!(code(&received), 0, "{}", stderr(&received));
    let words = json_lines(&received);
    let bytes = |word: &Value| word["done_bytes"].as_u64().expect("bytes");
    assert!(
        words
            .windows(2)
            .all(|pair| bytes(&pair[0]) <= bytes(&pair[1])),
        "{words:?}"
    );
    assert_eq!(words.last().expect("words")["state"], "done");
    let listed = two.ada.run(&["transfers"]);
    assert!(
        stdout(&listed).contains("100%  one.bin and 1 more"),
        "{}",
        stdout(&listed)
    );
}

#[test]
fn exit_codes_tell_what_became_of_an_offer() {
    let two = Two::start("ends");
    let file = two.write("out/a.txt", b"one");
    let missing = two
        .ada
        .run(&["send", "/no/such/file", "--to", two.ben_id()]);
    assert_eq!(code(&missing), 5, "{}", stderr(&missing));
    let nobody = two.ada.run(&["send", &file, "--to", "nobody"]);
    assert_ne!(code(&nobody), 0);
    let late = two
        .ada
        .run(&["send", &file, "--to", two.ben_id(), "--timeout", "1"]);
    assert_eq!(code(&late), 7, "{}", stderr(&late));
    let offers = two.ben.run(&["transfers", "--json"]);
    let id = json_lines(&offers)[0]["items"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let declined = two.ben.run(&["transfers", "decline", &id[..6]]);
    assert_eq!(code(&declined), 0, "{}", stderr(&declined));
    let over = two.ben.run(&["transfers", "accept", &id]);
    assert_eq!(code(&over), 8, "{}", stderr(&over));
    // The same name with another content, where such are to be skipped.
    two.write("got/a.txt", b"other");
    let recv = two.recv(&["--conflict", "skip"]);
    let sent = two.ada.run(&["send", &file, "--to", two.ben_id()]);
    assert_eq!(code(&sent), 12, "{}", stderr(&sent));
    let received = end(recv);
    assert_eq!(code(&received), 12, "{}", stderr(&received));
    assert!(
        stderr(&received).contains("left out: a.txt"),
        "{}",
        stderr(&received)
    );
    assert_eq!(read(&two.folder.path("got/a.txt")), b"other");
}
