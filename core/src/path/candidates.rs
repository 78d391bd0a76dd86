//! Which addresses may be tried at all. A peer names its candidates itself, so that without this
//! rule anyone who may talk to us could aim our packets at a printer, a router or a stranger.
//!
//! Takes: the candidate, what both sides look like from outside, and our interfaces. Returns: yes,
//! or the reason why not in stable words. A pure function (docs/protocol.md §9.3).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::api::{CandidateKind, CandidateRefusal};

/// Lowest port that is tried: below it live services that answer to strangers.
const LOWEST_PORT: u16 = 1_024;

/// How far an address reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Public,
    Private,
    LinkLocal,
    Loopback,
}

/// The address with IPv4-mapped IPv6 written as IPv4, and without flow label.
#[must_use]
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match (address.ip().to_canonical(), address) {
        (IpAddr::V6(ip), SocketAddr::V6(v6)) => {
            core::net::SocketAddrV6::new(ip, v6.port(), 0, v6.scope_id()).into()
        }
        (ip, _) => SocketAddr::new(ip, address.port()),
    }
}

/// Whether `candidate` may be probed, given the reflexive addresses of both sides and those of our own interfaces that
/// the peer may know. A stranger may know none: a probe must then show it no more than its introducer did, and what it
/// says of its own outside address opens no network of ours.
///
/// # Errors
/// The reason why not.
pub(crate) fn may_probe(
    candidate: SocketAddr,
    kind: CandidateKind,
    remote_reflexive: &[SocketAddr],
    local_reflexive: &[SocketAddr],
    local_host: &[SocketAddr],
) -> Result<(), CandidateRefusal> {
    let candidate = canonical(candidate);
    let ip = candidate.ip();
    let scope = scope(ip)?;
    if candidate.port() < LOWEST_PORT {
        return Err(CandidateRefusal::LowPort);
    }
    let is_own = |own: &SocketAddr| canonical(*own) == candidate;
    if local_host.iter().any(is_own) || local_reflexive.iter().any(is_own) {
        return Err(CandidateRefusal::Own);
    }
    let shares_subnet = shares_subnet(ip, local_host);
    if shares_subnet && matches!(ip, IpAddr::V4(v4) if v4.octets().ends_with(&[255])) {
        return Err(CandidateRefusal::Broadcast);
    }
    // Its packets reach us from there, so that it is on a link or route of ours.
    if kind == CandidateKind::PeerReflexive {
        return Ok(());
    }
    let is_stranger = local_host.is_empty();
    match scope {
        Scope::Public if is_stranger && !is_seen_in_family(ip, local_reflexive) => {
            Err(CandidateRefusal::Stranger)
        }
        Scope::Public => Ok(()),
        Scope::Loopback if any_in(local_reflexive, Scope::Loopback) => Ok(()),
        Scope::Loopback => Err(CandidateRefusal::ForeignLoopback),
        Scope::LinkLocal if shares_subnet => Ok(()),
        Scope::LinkLocal => Err(CandidateRefusal::ForeignLink),
        Scope::Private if shares_subnet => Ok(()),
        Scope::Private if both_inside(remote_reflexive, local_reflexive) => Ok(()),
        Scope::Private if !is_stranger && any_equal(remote_reflexive, local_reflexive) => Ok(()),
        Scope::Private => Err(CandidateRefusal::ForeignNetwork),
    }
}

/// Whether both sides are seen with the same outside address.
fn any_equal(remote: &[SocketAddr], local: &[SocketAddr]) -> bool {
    let ip = |address: &SocketAddr| address.ip().to_canonical();
    remote.iter().any(|r| local.iter().any(|l| ip(r) == ip(l)))
}

/// Whether both sides are seen from inside a private network. A peer that names no reflexive address of its own was
/// seen under its host address.
fn both_inside(remote: &[SocketAddr], local: &[SocketAddr]) -> bool {
    any_inside(local) && (remote.is_empty() || any_inside(remote))
}

/// Whether an introducer sees us in this family, or none sees us at all.
fn is_seen_in_family(candidate: IpAddr, local_reflexive: &[SocketAddr]) -> bool {
    let is_same = |seen: &SocketAddr| seen.ip().to_canonical().is_ipv4() == candidate.is_ipv4();
    local_reflexive.is_empty() || local_reflexive.iter().any(is_same)
}

fn any_inside(addresses: &[SocketAddr]) -> bool {
    any_in(addresses, Scope::Private) || any_in(addresses, Scope::Loopback)
}

fn any_in(addresses: &[SocketAddr], wanted: Scope) -> bool {
    let matches = |address: &SocketAddr| scope(address.ip().to_canonical()) == Ok(wanted);
    addresses.iter().any(matches)
}

/// Whether one of our interfaces lies in the same /24 (IPv4) or /64 (IPv6).
fn shares_subnet(candidate: IpAddr, local_host: &[SocketAddr]) -> bool {
    local_host
        .iter()
        .any(|own| shares_network(own.ip(), candidate))
}

/// Whether both addresses lie in one /24 (IPv4) or /64 (IPv6).
pub(crate) fn shares_network(one: IpAddr, other: IpAddr) -> bool {
    match (one.to_canonical(), other.to_canonical()) {
        (IpAddr::V4(one), IpAddr::V4(other)) => one.to_bits() >> 8 == other.to_bits() >> 8,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() >> 64 == other.to_bits() >> 64,
        _ => false,
    }
}

fn scope(ip: IpAddr) -> Result<Scope, CandidateRefusal> {
    match ip {
        IpAddr::V4(v4) => scope_v4(v4),
        IpAddr::V6(v6) => scope_v6(v6),
    }
}

fn scope_v4(ip: Ipv4Addr) -> Result<Scope, CandidateRefusal> {
    let [first, second, ..] = ip.octets();
    match first {
        0 => Err(CandidateRefusal::Unspecified),
        224..=239 => Err(CandidateRefusal::Multicast),
        240..=255 => Err(CandidateRefusal::Reserved),
        127 => Ok(Scope::Loopback),
        169 if second == 254 => Ok(Scope::LinkLocal),
        100 if (64..128).contains(&second) => Ok(Scope::Private),
        _ if ip.is_private() => Ok(Scope::Private),
        _ => Ok(Scope::Public),
    }
}

fn scope_v6(ip: Ipv6Addr) -> Result<Scope, CandidateRefusal> {
    let [first, ..] = ip.segments();
    if ip.is_unspecified() {
        return Err(CandidateRefusal::Unspecified);
    }
    if ip.is_multicast() {
        return Err(CandidateRefusal::Multicast);
    }
    if ip.is_loopback() {
        return Ok(Scope::Loopback);
    }
    // Deprecated spellings that embed an IPv4 address (RFC 4291 §2.5.5.1) could smuggle any of the
    // above.
    if ip.to_bits() >> 32 == 0 {
        return Err(CandidateRefusal::Reserved);
    }
    match first {
        0xfe80..=0xfebf => Ok(Scope::LinkLocal),
        0xfc00..=0xfdff | 0xfec0..=0xfeff => Ok(Scope::Private),
        _ => Ok(Scope::Public),
    }
}

#[cfg(test)]
mod tests;
