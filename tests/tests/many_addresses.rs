//! Machines with several addresses, with real binaries, sockets and the kernel's own address translation: a router lets
//! in only answers from the very address and port that were asked. Skipped, with a printed reason, where namespaces
//! cannot be made; a failure there where the environment variable `CI` is set.

use std::thread;
use std::time::{Duration, Instant};

use p2p_tests::netns::internet::INTRODUCER;
use p2p_tests::netns::node::UDP_PORT;
use p2p_tests::netns::tool::{p2p, p2p_mini, until};
use p2p_tests::netns::twofold::Twofold;
use p2p_tests::netns::{Internet, Nat, Node, Program, Side, announce, skipped};

const REGISTERED: Duration = Duration::from_secs(10);
/// How long a socket has no address.
const OUTAGE: Duration = Duration::from_secs(4);
/// From the return of the address until what was sent meanwhile has arrived.
const AGAIN: Duration = Duration::from_millis(1_500);
const PROGRAMS: [Program; 2] = [Program::P2p, Program::Mini];

/// What an introducer on a host with these addresses must hand out.
fn expected(id: &str) -> Vec<String> {
    let place = |ip: &&str| match ip.contains(':') {
        true => format!("p2p://{id}@[{ip}]:{UDP_PORT}"),
        false => format!("p2p://{id}@{ip}:{UDP_PORT}"),
    };
    Twofold::HOST.iter().map(place).collect()
}

#[test]
fn every_line_that_an_introducer_prints_leads_to_it() {
    if skipped("every line of an introducer") {
        return;
    }
    // Building them takes longer than a node may take to register.
    let _built = (p2p(), p2p_mini());
    let scene = Twofold::build().expect("a laboratory");
    // Each node has a port of its own, so that no mapping of an earlier one lets an answer in.
    let mut ports = 20_000..;
    for introducing in PROGRAMS {
        let label = format!("introducer-{introducing:?}");
        let arguments = ["--role", "introducer,relay,stun"];
        let introducer = Node::start_program(
            (introducing, &format!("0.0.0.0:{UDP_PORT}")),
            scene.host(),
            scene.folder(),
            &label,
            &arguments,
        );
        let introducer = introducer.expect("an introducer");
        let expected = expected(&introducer.id);
        // The surface answers before the last line is printed.
        let printed = || Some(introducer.printed_addresses()).filter(|p| p.len() >= expected.len());
        let lines = until(REGISTERED, printed).unwrap_or_default();
        assert_eq!(lines, expected, "{introducing:?}");
        for joining in PROGRAMS {
            for (number, line) in lines.iter().enumerate() {
                let name = format!("{introducing:?}-{joining:?}-{number}").to_lowercase();
                let arguments = ["--name", &name, "--introducer", line];
                let began = Instant::now();
                let listen = format!("0.0.0.0:{}", ports.next().expect("a port"));
                let program = (joining, listen.as_str());
                let node =
                    Node::start_program(program, scene.home(), scene.folder(), &name, &arguments);
                let node = node.expect("a node");
                let registered = until(REGISTERED, || node.registered().then_some(()));
                assert!(
                    registered.is_some(),
                    "{joining:?} at {introducing:?}: {line}"
                );
                announce(&format!(
                    "  {joining:?} registers at {introducing:?} through {line} {:.1?} after its start",
                    began.elapsed()
                ));
            }
        }
    }
}

/// A node that listens on one address, which leaves its machine and comes back: nothing else about its addresses
/// changes, so that only its link is news.
#[test]
fn a_socket_whose_address_comes_back_goes_on_at_once() {
    if skipped("an address that comes back") {
        return;
    }
    let _built = (p2p(), p2p_mini());
    for program in PROGRAMS {
        let internet = Internet::build(Nat::KeepsPort, Nat::KeepsPort).expect("a laboratory");
        let folder = internet.folder();
        let roles = ["--role", "introducer,relay,stun"];
        let introducer = Node::start(internet.introducer(), folder, "introducer", &roles);
        let introducer = introducer.expect("an introducer");
        let line = format!("p2p://{}@{INTRODUCER}:{UDP_PORT}", introducer.id);
        let start = |program, side, listen, name: &str| {
            let arguments = ["--name", name, "--introducer", &line];
            let home = internet.peer(side);
            Node::start_program((program, listen), home, folder, name, &arguments).expect("a node")
        };
        let ada = start(program, Side::A, "192.168.1.10:6660", "ada");
        let ben = start(Program::P2p, Side::B, "0.0.0.0:6660", "ben");
        for node in [&ada, &ben] {
            until(REGISTERED, || node.registered().then_some(())).expect("a registration");
        }
        let connected = ada.ask("POST", "/v1/peers/ben/connect", b"{}");
        assert_eq!(connected["peer"], ben.id.as_str());
        let target = format!("/v1/peers/{}/messages", ben.id);
        assert_eq!(ada.ask("POST", &target, b"before")["state"], "delivered");
        let home = internet.peer(Side::A);
        home.ip("addr del 192.168.1.10/24 dev eth0").expect("gone");
        thread::scope(|scope| {
            let sending = scope.spawn(|| ada.ask("POST", &target, b"meanwhile"));
            thread::sleep(OUTAGE);
            assert!(
                ada.has_said("has no address any more"),
                "{program:?}: the link"
            );
            assert!(!sending.is_finished(), "sent without an address");
            home.ip("addr add 192.168.1.10/24 dev eth0").expect("back");
            home.ip("route add default via 192.168.1.1").expect("back");
            let back = Instant::now();
            let sent = sending.join().expect("a sender");
            let after = back.elapsed();
            announce(&format!(
                "  {program:?}: delivered {after:.0?} after the address came back"
            ));
            assert_eq!(sent["state"], "delivered", "{sent}");
            assert!(after < AGAIN, "{program:?}: {after:?}");
            assert!(
                ada.has_said("has an address again"),
                "{program:?}: the link"
            );
        });
    }
}
