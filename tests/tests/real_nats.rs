//! Real nodes behind real NATs: the kernel's own address translation between network namespaces. Each test measures
//! its routers before it relies on them. Skipped, with a printed reason, where namespaces cannot be made; a failure
//! there where the environment variable `CI` is set.

use std::thread;
use std::time::{Duration, Instant};

use p2p_tests::netns::internet::INTRODUCER;
use p2p_tests::netns::node::UDP_PORT;
use p2p_tests::netns::scene::{PROBE_PORT, measure, noise, stream};
use p2p_tests::netns::tool::until;
use p2p_tests::netns::{Internet, Nat, Node, Scene, Side, announce, skipped};

const MIB: usize = 1 << 20;
/// From the connect order until data goes directly where the NATs allow it.
const DIRECT_WITHIN: Duration = Duration::from_secs(5);
/// From the connect order until a message is delivered, whatever the NATs.
const TALKING_WITHIN: Duration = Duration::from_secs(2);
/// How long a test watches for the way back to a direct path after a reboot; told, not demanded.
const AGAIN_WITHIN: Duration = Duration::from_secs(10);
/// Long enough for the second round of probes (protocol §9.2: after 5 s), which must not change anything.
const STAYS: Duration = Duration::from_secs(8);

/// Connects a pair, lets it talk, and prints its line of the table. Whether it went direct.
fn connect_and_talk(scene: &Scene, label: &str, patience: Duration) -> Option<Duration> {
    let connection = scene.connect();
    scene.talk(b"first words");
    let talking = connection.ordered_at.elapsed();
    let direct = scene.until_direct(connection.ordered_at, patience);
    let ended = direct.map_or("relayed".to_owned(), |after| {
        format!("direct after {after:.0?}")
    });
    announce(&format!(
        "  {label:<34} connected ({}) after {:.0?}, both ways talked after {talking:.0?}, {ended}",
        connection.first_path, connection.connected_after
    ));
    assert!(
        talking < TALKING_WITHIN,
        "{label}: talking after {talking:?}"
    );
    direct
}

fn stays_relayed(nat_a: Nat, nat_b: Nat, label: &str) {
    let scene = Scene::open(nat_a, nat_b);
    let direct = connect_and_talk(&scene, label, STAYS);
    assert_eq!(direct, None, "{label}: nobody expected a direct path");
    assert_eq!(scene.path().as_deref(), Some("relay"));
    scene.talk(&noise(200_000));
    // While a round of probes runs, nobody can know better than "probing".
    let verdict = || Some(scene.why()).filter(|why| why["verdict"] != "probing");
    let why = until(STAYS, verdict).expect("a verdict");
    assert_eq!(why["verdict"], "no_probe_arrived", "{why}");
}

#[test]
fn routers_map_as_they_say_and_forget_when_they_reboot() {
    if skipped("routers") {
        return;
    }
    let internet = Internet::build(Nat::KeepsPort, Nat::Random).expect("a laboratory");
    measure(&internet, Side::A, Nat::KeepsPort);
    measure(&internet, Side::B, Nat::Random);
    let router = internet.router(Side::A);
    // Rules alone change nothing for who is known: the kernel translates by the first packet of a flow.
    let mappings = || {
        let _reflectors = internet.reflectors().expect("reflectors");
        internet
            .mappings(Side::A, PROBE_PORT)
            .expect("a measured NAT")
    };
    let before = mappings();
    router.load(Nat::OnePort(33_000)).expect("new rules");
    assert_eq!(mappings(), before);
    router.reboot(Nat::OnePort(33_000)).expect("a reboot");
    measure(&internet, Side::A, Nat::OnePort(33_000));
}

#[test]
fn cone_and_cone_go_direct_and_outlive_their_introducer() {
    if skipped("cone and cone") {
        return;
    }
    let mut scene = Scene::open(Nat::KeepsPort, Nat::KeepsPort);
    let direct = connect_and_talk(&scene, "cone - cone", DIRECT_WITHIN);
    assert!(
        direct.is_some(),
        "not direct within {DIRECT_WITHIN:?}: {}",
        scene.why()
    );
    scene.kill_introducer();
    thread::sleep(Duration::from_secs(1));
    scene.talk(b"the introducer is gone");
    scene.talk(&noise(MIB));
    assert_eq!(scene.path().as_deref(), Some("direct"));
}

#[test]
fn cones_that_hide_the_inner_port_go_direct() {
    if skipped("cones that hide the inner port") {
        return;
    }
    let scene = Scene::open(Nat::OnePort(31_000), Nat::OnePort(32_000));
    let direct = connect_and_talk(&scene, "cone - cone, ports translated", DIRECT_WITHIN);
    assert!(
        direct.is_some(),
        "not direct within {DIRECT_WITHIN:?}: {}",
        scene.why()
    );
}

#[test]
fn symmetric_and_symmetric_stay_relayed() {
    if skipped("symmetric and symmetric") {
        return;
    }
    stays_relayed(Nat::Random, Nat::Random, "symmetric - symmetric");
}

#[test]
fn port_restricted_and_symmetric_stay_relayed() {
    if skipped("port-restricted and symmetric") {
        return;
    }
    stays_relayed(Nat::KeepsPort, Nat::Random, "port-restricted - symmetric");
    stays_relayed(Nat::Random, Nat::KeepsPort, "symmetric - port-restricted");
}

#[test]
fn a_router_that_reboots_loses_no_byte() {
    if skipped("a router that reboots") {
        return;
    }
    for side in [Side::A, Side::B] {
        let scene = Scene::open(Nat::OnePort(31_000), Nat::OnePort(32_000));
        let direct = connect_and_talk(&scene, "cone - cone, before the reboot", DIRECT_WITHIN);
        assert!(
            direct.is_some(),
            "not direct within {DIRECT_WITHIN:?}: {}",
            scene.why()
        );
        let content = noise(20 * MIB);
        let mut rebooted: Option<Instant> = None;
        let mut stall = Duration::ZERO;
        let mut last = Instant::now();
        let took = stream(&scene.ada, &scene.ben, &content, |arrived| {
            if rebooted.is_some() {
                stall = stall.max(last.elapsed());
            } else if arrived >= 5 * MIB {
                scene
                    .internet
                    .router(side)
                    .reboot(Nat::OnePort(33_000))
                    .expect("a reboot");
                rebooted = Some(Instant::now());
            }
            last = Instant::now();
        });
        assert!(rebooted.is_some());
        let path = scene.path();
        announce(&format!(
            "  router {side:?} rebooted after 5 of 20 MiB: all bytes after {took:.1?}, longest stall \
             {stall:.1?}, then {path:?}"
        ));
        scene.talk(b"after the reboot");
        let again = scene.until_direct(Instant::now(), AGAIN_WITHIN);
        announce(&format!("  direct again after {again:.1?}"));
        for (name, node) in [("ada", &scene.ada), ("ben", &scene.ben)] {
            announce(&format!(
                "  {name}: {}",
                node.path_history().join("\n       ")
            ));
        }
    }
}

#[test]
fn a_link_that_loses_a_fifth_carries_everything() {
    if skipped("a link that loses a fifth") {
        return;
    }
    let scene = Scene::open_in(Nat::KeepsPort, Nat::KeepsPort, 20);
    let connection = scene.connect_persistently();
    let direct = scene.until_direct(connection.ordered_at, Duration::from_secs(30));
    announce(&format!(
        "  20 % lost each way: connected ({}) after {:.0?} and {} orders, direct after \
         {direct:.0?}",
        connection.first_path, connection.connected_after, connection.orders
    ));
    let began = Instant::now();
    scene.talk(&noise(MIB));
    let messages = began.elapsed();
    let took = stream(&scene.ada, &scene.ben, &noise(10 * MIB), |_| ());
    announce(&format!(
        "  20 % lost each way: 1 MiB each way {messages:.1?}, 10 MiB {took:.1?}"
    ));
}

/// Ben has never heard of the introducer, and his router lets nobody in: the link is all that he is given.
#[test]
fn two_behind_routers_meet_by_a_link() {
    if skipped("meeting by a link") {
        return;
    }
    for (nat_a, nat_b) in [(Nat::KeepsPort, Nat::KeepsPort), (Nat::Random, Nat::Random)] {
        let internet = Internet::build(nat_a, nat_b).expect("a laboratory");
        let folder = internet.folder();
        let roles = ["--role", "introducer,relay,stun"];
        let introducer = Node::start(internet.introducer(), folder, "introducer", &roles);
        let introducer = introducer.expect("an introducer");
        let place = format!("p2p://{}@{INTRODUCER}:{UDP_PORT}", introducer.id);
        let known = ["--name", "ada", "--introducer", &place];
        let ada = Node::start(internet.peer(Side::A), folder, "ada", &known).expect("a node");
        let ben = Node::start(internet.peer(Side::B), folder, "ben", &["--name", "ben"]);
        let ben = ben.expect("a node");
        let began = Instant::now();
        let invite = ada.ask("POST", "/v1/invites", b"{}");
        let body = format!("{{\"link\":{}}}", invite["link"]);
        let joined = ben.ask("POST", "/v1/invites/accept", body.as_bytes());
        assert_eq!(joined["state"], "joined", "{joined}");
        for (from, to) in [(&ada, "ben"), (&ben, "ada")] {
            let target = format!("/v1/peers/{to}/messages?timeout_ms=10000");
            let sent = from.ask("POST", &target, b"good morning");
            let target = format!("/v1/messages/{}", sent["id"].as_str().expect("an id"));
            let delivered =
                || Some(()).filter(|()| from.ask("GET", &target, b"")["state"] == "delivered");
            until(TALKING_WITHIN * 5, delivered).expect("a delivery");
        }
        announce(&format!(
            "  met by a link, and talked both ways after {:.0?}",
            began.elapsed()
        ));
    }
}
