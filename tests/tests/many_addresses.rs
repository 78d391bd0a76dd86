//! Machines with several addresses, with real binaries, sockets and the kernel's own address translation: a router lets
//! in only answers from the very address and port that were asked. Skipped, with a printed reason, where namespaces
//! cannot be made; a failure there where the environment variable `CI` is set.

use std::time::{Duration, Instant};

use p2p_tests::netns::node::UDP_PORT;
use p2p_tests::netns::tool::{p2p, p2p_mini, until};
use p2p_tests::netns::twofold::Twofold;
use p2p_tests::netns::{Node, Program, announce, skipped};

const REGISTERED: Duration = Duration::from_secs(10);
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
            (introducing, UDP_PORT),
            scene.host(),
            scene.folder(),
            &label,
            &arguments,
        );
        let introducer = introducer.expect("an introducer");
        let lines = introducer.printed_addresses();
        assert_eq!(lines, expected(&introducer.id), "{introducing:?}");
        for joining in PROGRAMS {
            for (number, line) in lines.iter().enumerate() {
                let name = format!("{introducing:?}-{joining:?}-{number}").to_lowercase();
                let arguments = ["--name", &name, "--introducer", line];
                let began = Instant::now();
                let program = (joining, ports.next().expect("a port"));
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
