use core::net::{IpAddr, SocketAddr};

use p2p_core::rng::Rng;
use p2p_core::time::Instant;

use super::*;

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn made(nat: Nat) -> NatBox {
    NatBox::new(nat, ip("45.0.0.1"), Rng::from_seed([5; 32]))
}

const NOW: Instant = Instant::from_millis(1_000);

fn inside() -> SocketAddr {
    at("192.168.1.10:7000")
}

/// Sources seen by two ports of one host and by another host.
fn sources(nat: Nat) -> [SocketAddr; 3] {
    let mut b = made(nat);
    ["60.0.0.1:1000", "60.0.0.1:1001", "60.0.0.2:1000"].map(|to| b.outbound(NOW, inside(), at(to)))
}

#[test]
fn endpoint_independent_mapping_reuses_the_port_for_every_destination() {
    let [a, b, c] = sources(Nat::port_restricted());
    assert_eq!((a, a), (b, c));
    assert_eq!(a.ip(), ip("45.0.0.1"));
}

#[test]
fn address_dependent_mapping_reuses_the_port_for_one_address() {
    let nat = Nat::new(
        Mapping::AddressDependent,
        Filtering::AddressDependent,
        PortAllocation::Random,
    );
    let [a, b, c] = sources(nat);
    assert_eq!(a, b);
    assert_ne!(a, c);
}

#[test]
fn address_and_port_dependent_mapping_never_reuses_the_port() {
    let [a, b, c] = sources(Nat::symmetric());
    assert!(a != b && b != c && a != c);
}

#[test]
fn sequential_allocation_counts_and_preserving_keeps() {
    let [a, b, c] = sources(Nat::symmetric_sequential());
    assert_eq!([b.port(), c.port()], [a.port() + 1, a.port() + 2]);
    let [a, b, c] = sources(Nat::linux_masquerade());
    assert_eq!([a.port(), b.port(), c.port()], [7_000; 3]);
}

#[test]
fn preserving_falls_back_where_another_host_holds_the_port_towards_the_same_destination() {
    let mut b = made(Nat::linux_masquerade());
    let other = at("192.168.1.11:7000");
    let to = at("60.0.0.1:1000");
    assert_eq!(b.outbound(NOW, inside(), to).port(), 7_000);
    assert_ne!(b.outbound(NOW, other, to).port(), 7_000);
    let elsewhere = b.outbound(NOW, other, at("60.0.0.2:1000"));
    assert_eq!(
        elsewhere.port(),
        7_000,
        "told apart by the remote end, as conntrack does"
    );
}

/// Who gets in after one packet to 60.0.0.1:1000: that endpoint, another port there, another host.
fn admitted(nat: Nat) -> [bool; 3] {
    let mut b = made(nat);
    let mapped = b.outbound(NOW, inside(), at("60.0.0.1:1000"));
    ["60.0.0.1:1000", "60.0.0.1:1001", "60.0.0.2:1000"]
        .map(|from| b.inbound(NOW, at(from), mapped) == Inbound::To(inside()))
}

#[test]
fn filtering_admits_as_its_name_says() {
    assert_eq!(admitted(Nat::full_cone()), [true, true, true]);
    assert_eq!(admitted(Nat::address_restricted()), [true, true, false]);
    assert_eq!(admitted(Nat::port_restricted()), [true, false, false]);
    assert_eq!(admitted(Nat::symmetric()), [true, false, false]);
    assert_eq!(admitted(Nat::stateful_firewall()), [true, false, false]);
}

#[test]
fn a_firewall_keeps_addresses() {
    let mut b = made(Nat::stateful_firewall());
    let host = at("44.0.0.7:7000");
    assert_eq!(b.outbound(NOW, host, at("60.0.0.1:1000")), host);
    let heard = b.inbound(NOW, at("60.0.0.1:1000"), host);
    assert_eq!(heard, Inbound::To(host));
    let stranger = b.inbound(NOW, at("60.0.0.9:1000"), host);
    assert_eq!(stranger, Inbound::Dropped);
}

#[test]
fn a_mapping_ends_after_its_timeout_and_inbound_refreshes_only_where_it_may() {
    let seconds = |s: u64| NOW + Duration::from_secs(s);
    let remote = at("60.0.0.1:1000");
    let life = Duration::from_secs(30);
    for (refresh, alive) in [(Refresh::Both, true), (Refresh::Outbound, false)] {
        let mut b = made(Nat::port_restricted().timeout(life, refresh));
        let mapped = b.outbound(NOW, inside(), remote);
        assert_eq!(
            b.inbound(seconds(20), remote, mapped),
            Inbound::To(inside())
        );
        let late = b.inbound(seconds(40), remote, mapped);
        assert_eq!(late == Inbound::To(inside()), alive, "{refresh:?}");
        assert_eq!(b.inbound(seconds(90), remote, mapped), Inbound::Dropped);
        assert!(b.is_empty());
    }
}

#[test]
fn an_unanswered_mapping_ends_sooner() {
    let mut b = made(Nat::full_cone());
    let remote = at("60.0.0.1:1000");
    let mapped = b.outbound(NOW, inside(), remote);
    let late = NOW + Duration::from_secs(31);
    assert_eq!(b.inbound(late, remote, mapped), Inbound::Dropped);
}

#[test]
fn a_reboot_forgets_everything() {
    let mut b = made(Nat::full_cone());
    let remote = at("60.0.0.1:1000");
    let mapped = b.outbound(NOW, inside(), remote);
    b.reboot();
    assert_eq!(b.inbound(NOW, remote, mapped), Inbound::Dropped);
    assert_ne!(b.outbound(NOW, inside(), remote), mapped);
}

#[test]
fn hairpinning_gives_the_source_that_was_asked_for() {
    let other = at("192.168.1.11:7000");
    for kind in [
        Hairpin::None,
        Hairpin::InternalSource,
        Hairpin::ExternalSource,
    ] {
        let mut b = made(Nat::full_cone().hairpin(kind));
        let remote = at("60.0.0.1:1000");
        let target = b.outbound(NOW, other, remote);
        let external = b.outbound(NOW, inside(), remote);
        let expected = match kind {
            Hairpin::None => None,
            Hairpin::InternalSource => Some((inside(), other)),
            Hairpin::ExternalSource => Some((external, other)),
        };
        assert_eq!(b.hairpin(NOW, inside(), target), expected);
    }
}

#[test]
fn an_early_packet_poisons_or_blocks_where_the_box_is_like_that() {
    let (remote, other) = (at("60.0.0.1:1000"), at("60.0.0.2:1000"));
    let after_early = |early| {
        let mut b = made(Nat::linux_masquerade().early(early));
        b.outbound(NOW, inside(), other);
        let external = at("45.0.0.1:7000");
        assert_eq!(b.inbound(NOW, remote, external), Inbound::Dropped);
        let mapped = b.outbound(NOW, inside(), remote);
        (mapped == external, b.inbound(NOW, remote, mapped))
    };
    let heard = Inbound::To(inside());
    assert_eq!(after_early(Early::Drop), (true, heard));
    assert_eq!(after_early(Early::Poison), (false, heard));
    assert_eq!(after_early(Early::Block), (true, Inbound::Dropped));
}

#[test]
fn a_full_table_drops_the_oldest_mapping() {
    let mut nat = Nat::symmetric();
    nat.capacity = 2;
    let mut b = made(nat);
    let to = |n: u64| at(&format!("60.0.0.{n}:1000"));
    let first = b.outbound(NOW, inside(), to(1));
    for n in 2..=3 {
        b.outbound(NOW + Duration::from_millis(n), inside(), to(n));
    }
    assert_eq!(b.len(), 2);
    assert_eq!(b.inbound(NOW, to(1), first), Inbound::Dropped);
}

#[test]
fn the_oracle_agrees_with_the_published_matrix() {
    use Filtering as F;
    use Mapping as M;
    use PortAllocation::Random;
    let apdm = M::AddressAndPortDependent;
    let adm = M::AddressDependent;
    let sides: [&[Nat]; 12] = [
        &[],
        &[Nat::stateful_firewall()],
        &[Nat::full_cone()],
        &[Nat::address_restricted()],
        &[Nat::port_restricted()],
        &[Nat::new(adm, F::AddressDependent, Random)],
        &[Nat::new(adm, F::AddressAndPortDependent, Random)],
        &[Nat::new(apdm, F::EndpointIndependent, Random)],
        &[Nat::new(apdm, F::AddressDependent, Random)],
        &[Nat::linux_masquerade()],
        &[Nat::symmetric_sequential()],
        &[Nat::symmetric()],
    ];
    // Rows and columns O F E1 E2 E3 A2 A3 P1 P2 PP PS PR; D direct, A asymmetric, R relay.
    let expected = [
        "D",
        "DD",
        "DDD",
        "DDDD",
        "DDDDD",
        "DRDDRR",
        "DRDDRRR",
        "DRDDRARA",
        "DRDDRRRAR",
        "DDDDDRRRRD",
        "DRDDRRRRRRR",
        "DRDDRRRRRRRR",
    ];
    for (row, cells) in expected.iter().enumerate() {
        let judged: String = (0..=row)
            .map(|column| match punching(sides[row], sides[column]) {
                Punching::Direct => 'D',
                Punching::Asymmetric => 'A',
                Punching::Relay => 'R',
            })
            .collect();
        assert_eq!(&judged, cells, "row {row}");
    }
}

#[test]
fn a_chain_is_as_strict_as_its_strictest_box() {
    let home = [Nat::port_restricted(), Nat::full_cone()];
    assert!(direct_path_possible(&home, &[Nat::port_restricted()]));
    let carrier = [Nat::full_cone(), Nat::symmetric()];
    assert!(!direct_path_possible(&carrier, &[Nat::port_restricted()]));
    assert!(direct_path_possible(&carrier, &[]));
}
