//! Every kind of address in every situation, as one table.

use super::*;
use quickcheck::quickcheck;

fn a(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn all(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| a(text)).collect()
}

struct Situation {
    remote: Vec<SocketAddr>,
    local: Vec<SocketAddr>,
    host: Vec<SocketAddr>,
}

impl Situation {
    fn new(remote: &[&str], local: &[&str], host: &[&str]) -> Self {
        let (remote, local, host) = (all(remote), all(local), all(host));
        Self {
            remote,
            local,
            host,
        }
    }

    fn asks(&self, candidate: &str, kind: CandidateKind) -> Result<(), CandidateRefusal> {
        may_probe(a(candidate), kind, &self.remote, &self.local, &self.host)
    }

    fn allows(&self, candidate: &str) -> bool {
        self.asks(candidate, CandidateKind::Host).is_ok()
    }
}

fn strangers() -> Situation {
    let host = [
        "192.168.1.5:7000",
        "[2001:db8:1:1::5]:7000",
        "[fe80::5]:7000",
    ];
    Situation::new(&["198.51.100.9:7000"], &["203.0.113.4:6000"], &host)
}

fn neighbours() -> Situation {
    let host = ["192.168.1.5:7000"];
    Situation::new(&["203.0.113.4:9999"], &["203.0.113.4:6000"], &host)
}

const NEVER: [&str; 19] = [
    "0.0.0.0:7000",
    "0.1.2.3:7000",
    "224.0.0.1:7000",
    "239.255.255.250:1900",
    "240.0.0.1:7000",
    "255.255.255.255:7000",
    "[::]:7000",
    "[ff02::1]:7000",
    "[ff0e::1]:7000",
    "[::c0a8:0101]:7000",
    "[::ffff:0.0.0.0]:7000",
    "[::ffff:224.0.0.1]:7000",
    "[::ffff:255.255.255.255]:7000",
    "198.51.100.7:1023",
    "198.51.100.7:53",
    "198.51.100.7:0",
    "[2001:db8::1]:443",
    "192.168.1.255:7000",
    "192.168.1.5:7000",
];

#[test]
fn some_addresses_are_never_tried() {
    let here = Situation::new(
        &["127.0.0.1:5000"],
        &["127.0.0.1:6000"],
        &["192.168.1.5:7000"],
    );
    let kinds = [
        CandidateKind::Host,
        CandidateKind::ServerReflexive,
        CandidateKind::PeerReflexive,
    ];
    for situation in [strangers(), neighbours(), here] {
        for candidate in NEVER {
            for kind in kinds {
                assert!(
                    situation.asks(candidate, kind).is_err(),
                    "{candidate} {kind:?}"
                );
            }
        }
    }
}

#[test]
fn public_addresses_are_always_tried() {
    let public = [
        "198.51.100.7:1024",
        "8.8.8.8:65535",
        "[2606:4700::1]:7000",
        "[::ffff:198.51.100.7]:7000",
        "100.63.255.255:7000",
        "100.128.0.0:7000",
        "172.15.0.1:7000",
        "172.32.0.1:7000",
        "169.253.0.1:7000",
        "128.0.0.1:7000",
        "223.255.255.254:7000",
    ];
    for situation in [strangers(), neighbours()] {
        for candidate in public {
            assert!(situation.allows(candidate), "{candidate}");
        }
    }
}

#[test]
fn addresses_of_other_networks_are_tried_only_behind_the_same_nat() {
    let private = [
        "10.0.0.1:7000",
        "172.16.0.1:7000",
        "172.31.255.1:7000",
        "192.168.2.9:7000",
        "100.64.0.1:7000",
        "100.127.255.254:7000",
        "[fd00::1]:7000",
        "[fc12::1]:7000",
        "[fec0::1]:7000",
        "[::ffff:192.168.2.9]:7000",
    ];
    let inside = Situation::new(&["10.9.9.9:5000"], &["10.1.1.1:5000"], &[]);
    let inside_unnamed = Situation::new(&[], &["10.1.1.1:5000"], &[]);
    let half_inside = Situation::new(&["198.51.100.9:5000"], &["10.1.1.1:5000"], &[]);
    for candidate in private {
        assert!(!strangers().allows(candidate), "{candidate}");
        assert!(!half_inside.allows(candidate), "{candidate}");
        assert!(neighbours().allows(candidate), "{candidate}");
        assert!(inside.allows(candidate), "{candidate}");
        assert!(inside_unnamed.allows(candidate), "{candidate}");
    }
}

#[test]
fn a_shared_subnet_is_enough() {
    assert!(strangers().allows("192.168.1.77:7000"));
    assert!(!strangers().allows("192.168.0.77:7000"));
    assert!(strangers().allows("[fe80::77]:7000"));
    assert!(!strangers().allows("169.254.7.7:7000"));
    assert!(!neighbours().allows("[fe80::77]:7000"));
    let ula = Situation::new(&[], &["203.0.113.4:6000"], &["[fd00:1:2:3::1]:7000"]);
    assert!(ula.allows("[fd00:1:2:3::9]:7000"));
    assert!(!ula.allows("[fd00:1:2:4::9]:7000"));
}

#[test]
fn loopback_is_tried_only_where_the_introducer_is_on_this_host() {
    for candidate in [
        "127.0.0.1:7001",
        "[::1]:7001",
        "127.8.8.8:7001",
        "[::ffff:127.0.0.1]:7001",
    ] {
        assert!(!strangers().allows(candidate), "{candidate}");
        assert!(!neighbours().allows(candidate), "{candidate}");
        for remote in [&[][..], &["127.0.0.1:7001"]] {
            let here = Situation::new(remote, &["127.0.0.1:7000"], &["127.0.0.1:7000"]);
            assert!(here.allows(candidate), "{candidate}");
            assert_eq!(
                here.asks("127.0.0.1:7000", CandidateKind::Host),
                Err(CandidateRefusal::Own)
            );
        }
    }
}

#[test]
fn a_source_of_authentic_packets_may_lie_in_any_network() {
    let kind = CandidateKind::PeerReflexive;
    for source in [
        "10.0.0.1:7000",
        "100.64.0.1:7000",
        "[fd00::1]:7000",
        "127.0.0.1:7001",
    ] {
        assert!(strangers().asks(source, kind).is_ok(), "{source}");
    }
    assert!(strangers().asks("10.0.0.1:80", kind).is_err());
}

#[test]
fn one_address_has_one_spelling() {
    assert_eq!(canonical(a("[::ffff:192.0.2.1]:9")), a("192.0.2.1:9"));
    assert_eq!(canonical(a("192.0.2.1:9")), a("192.0.2.1:9"));
    assert_eq!(canonical(a("[2001:db8::1]:9")), a("[2001:db8::1]:9"));
}

quickcheck! {
    fn the_answer_does_not_depend_on_the_spelling(ip: u32, port: u16) -> bool {
        let ip = Ipv4Addr::from_bits(ip);
        let plain = SocketAddr::from((ip, port));
        let mapped = SocketAddr::from((ip.to_ipv6_mapped(), port));
        let s = strangers();
        let kind = CandidateKind::Host;
        let ask = |candidate| may_probe(candidate, kind, &s.remote, &s.local, &s.host);
        ask(plain) == ask(mapped)
    }

    fn ports_below_1024_are_refused(ip: u128, port: u16) -> bool {
        let candidate = SocketAddr::from((Ipv6Addr::from_bits(ip), port % 1_024));
        let s = neighbours();
        may_probe(candidate, CandidateKind::PeerReflexive, &s.remote, &s.local, &s.host).is_err()
    }
}
