//! Two people talk through the web page of their nodes: a real browser, real nodes, an introducer, all on loopback.
//! They use what the page offers: the ticket's link, the search, the button, the text field. Pictures of every look
//! stay under target/screenshots/. Skipped, with a printed reason, where there is no Chromium or chromedriver; a
//! failure there where the environment variable `CI` is set.

use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use p2p_tests::browser::{Browser, Look, Page, missing};
use p2p_tests::netns::Node;
use p2p_tests::netns::tool::{announce, pictures, step_aside, until};

const REGISTERED: Duration = Duration::from_secs(20);
/// The enter key (WebDriver §17.4.2).
const ENTER: &str = "\u{E007}";
/// Text that a careless page would take for its own.
const HOSTILE: &str = "<img src=x onerror=alert(1)> & \"quotes\" </script>";
const LOOKS: &[(&str, Look)] = &[
    (
        "desk-light",
        Look {
            size: (1280, 800),
            dark: false,
        },
    ),
    (
        "desk-dark",
        Look {
            size: (1280, 800),
            dark: true,
        },
    ),
    (
        "phone-light",
        Look {
            size: (390, 844),
            dark: false,
        },
    ),
    (
        "phone-dark",
        Look {
            size: (390, 844),
            dark: true,
        },
    ),
];

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn create(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("p2pweb-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Loopback addresses that were free a moment ago.
fn free() -> (SocketAddr, SocketAddr) {
    let udp = UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr());
    let http = TcpListener::bind("127.0.0.1:0").and_then(|s| s.local_addr());
    (udp.expect("a UDP port"), http.expect("a TCP port"))
}

/// An introducer and two nodes registered with it.
fn nodes(folder: &Path) -> (Node, Node, Node) {
    let place = free();
    let roles = ["--role", "introducer,relay,stun"];
    let introducer = Node::start_on_loopback(folder, "introducer", place, &roles);
    let introducer = introducer.expect("an introducer");
    let link = format!("p2p://{}@{}", introducer.id, place.0);
    let start = |name: &str| {
        let arguments = ["--name", name, "--introducer", &link];
        Node::start_on_loopback(folder, name, free(), &arguments).expect("a node")
    };
    let (ada, ben) = (start("ada"), start("ben"));
    for node in [&ada, &ben] {
        until(REGISTERED, || node.registered().then_some(())).expect("a registration");
    }
    (introducer, ada, ben)
}

/// Shows a page in every look, keeps a picture of each, and notes where it is wider than its window.
fn pose(page: &Page<'_>, name: &str, problems: &mut Vec<String>) {
    for (look_name, look) in LOOKS {
        page.look(*look);
        page.picture(&pictures().join(format!("{name}-{look_name}.png")));
        let misfits = page.misfits(look.size.0);
        problems.extend(
            misfits
                .iter()
                .map(|what| format!("{name}, {look_name}: {what}")),
        );
    }
    page.look(LOOKS[0].1);
}

#[test]
fn two_people_talk_through_the_page() {
    if let Some(what) = missing() {
        step_aside("two people talk through the page", what);
        return;
    }
    let folder = Folder::create("talk");
    let (_introducer, ada, ben) = nodes(&folder.0);
    let browser = Browser::start(&folder.0).expect("a browser");
    let mut problems = Vec::new();

    let page_a = Page::open(&browser, &ada.page_address());
    let page_b = Page::open(&browser, &ben.page_address());
    page_a.wait_for("#self", "ada");
    page_b.wait_for("#self", "ben");
    pose(&page_a, "1-alone", &mut problems);

    page_a.type_into("#search-input", &format!("ben{ENTER}"));
    page_a.wait_for("#search-results", "ben");
    pose(&page_a, "2-found", &mut problems);
    page_a.click("#search-results button");
    page_a.wait_for("#peers", "Direct");

    page_a.type_into("#peer textarea", &format!("Hello Ben{ENTER}"));
    page_a.wait_for("#peer .message.mine", "Delivered");
    page_b.wait_for("#peers .peer-item", "ada");
    page_b.click("#peers .peer-item");
    page_b.wait_for("#peer .message.theirs .bubble", "Hello Ben");
    page_b.type_into("#peer textarea", &format!("{HOSTILE}{ENTER}"));
    page_b.wait_for("#peer .message.mine", "Delivered");
    page_a.wait_for("#peer .message.theirs .bubble", HOSTILE);
    let long = "a-word-without-an-end-".repeat(20);
    page_a.type_into("#peer textarea", &format!("{long}{ENTER}"));
    page_a.wait_for("#peer .message.mine:last-child", "Delivered");
    pose(&page_a, "3-talk", &mut problems);

    for (name, path) in [("4-docs", "/docs"), ("5-errors", "/docs/errors")] {
        page_b.visit(path);
        page_b.wait_for("h1", "");
        pose(&page_b, name, &mut problems);
    }
    page_b.visit("/");
    page_b.click("#logout");
    page_b.wait_for("#login", "ticket");
    pose(&page_b, "6-login", &mut problems);

    for (name, page) in [("ada", &page_a), ("ben", &page_b)] {
        let lines = page.console();
        problems.extend(lines.iter().map(|line| format!("{name}'s console: {line}")));
    }
    announce(&format!("  pictures: {}", pictures().display()));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Eve knows nobody: a link in ada's page is all that the two need.
#[test]
fn two_people_meet_by_a_link_in_the_page() {
    if let Some(what) = missing() {
        step_aside("two people meet by a link in the page", what);
        return;
    }
    let folder = Folder::create("meet");
    let (_introducer, ada, _ben) = nodes(&folder.0);
    let eve = Node::start_on_loopback(&folder.0, "eve", free(), &["--name", "eve"]);
    let eve = eve.expect("a node");
    let browser = Browser::start(&folder.0).expect("a browser");
    let mut problems = Vec::new();
    let page_a = Page::open(&browser, &ada.page_address());
    let page_e = Page::open(&browser, &eve.page_address());
    page_a.wait_for("#self", "ada");
    page_e.wait_for("#self", "eve");

    page_a.click("#meet-invite");
    page_a.wait_for("#meet-dialog .id-row", "p2p:j/");
    pose(&page_a, "7-invite", &mut problems);
    let link = page_a.text("#meet-dialog .id-row code").expect("a link");

    page_e.click("#meet-join");
    page_e.type_into("#join-link", "p2p:j/ybndr");
    page_e.click("#meet-dialog form.dialog-form button");
    page_e.wait_for("#meet-dialog .error", "whole");
    pose(&page_e, "8-mangled", &mut problems);
    let _ = page_e.script(
        "document.getElementById('join-link').value = ''",
        &serde_json::json!([]),
    );
    page_e.type_into("#join-link", &link);
    page_e.click("#meet-dialog form.dialog-form button");
    page_e.wait_for("#peer h1", "ada");
    page_a.wait_for("#peer h1", "eve");

    page_e.type_into("#peer textarea", &format!("Thank you{ENTER}"));
    page_a.wait_for("#peer .message.theirs .bubble", "Thank you");
    pose(&page_a, "9-met", &mut problems);
    for (name, page) in [("ada", &page_a), ("eve", &page_e)] {
        let lines = page.console();
        // The browser itself notes the answer to the mangled link.
        let noted = |line: &&String| !line.contains("invites/accept");
        problems.extend(
            lines
                .iter()
                .filter(noted)
                .map(|line| format!("{name}'s console: {line}")),
        );
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
