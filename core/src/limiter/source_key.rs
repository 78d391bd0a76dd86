//! What counts as one source: an IPv4 address, or the /64 that one subscriber of IPv6 has at least; and the network
//! that several of them belong to. Takes an address, returns a small key.

use core::net::IpAddr;

/// IPv4 address or IPv6 /64. An IPv4 address stands behind 32 bits that no IPv6 address of a single host begins with
/// (ff00::/8 are groups).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceKey(u64);

const IPV4: u64 = u32::MAX as u64;

impl SourceKey {
    /// The source of an address.
    #[must_use]
    pub(crate) fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V4(ip) => IPV4 << 32 | u64::from(ip.to_bits()),
            IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64,
        })
    }

    /// A channel of a relay: whoever is behind it has no other address.
    #[must_use]
    pub(crate) const fn of_channel(relay: u32, channel: u32) -> Self {
        Self((relay as u64) << 32 | channel as u64)
    }

    /// The network of the source: the /48 that a site of IPv6 gets; an IPv4 address is its own.
    #[must_use]
    pub(crate) const fn network(self) -> Self {
        match self.0 >> 32 {
            IPV4 => self,
            _ => Self(self.0 >> 16 << 16),
        }
    }

    /// The key as bytes, for a keyed hash.
    #[must_use]
    pub(crate) const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_64_is_one_source_and_a_48_one_network() {
        let v6 = |text: &str| SourceKey::of(text.parse().unwrap());
        let one = v6("2001:db8:1:1::1");
        assert_eq!(one, v6("2001:db8:1:1:ffff::2"));
        assert_ne!(one, v6("2001:db8:1:2::1"));
        assert_eq!(one.network(), v6("2001:db8:1:2::1").network());
        assert_ne!(one.network(), v6("2001:db8:2:1::1").network());
        assert_eq!(v6("::ffff:192.0.2.1"), v6("192.0.2.1"));
        assert_ne!(v6("192.0.2.1").network(), v6("192.0.2.2").network());
    }
}
