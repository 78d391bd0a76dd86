//! A running hash over everything that happens in a world: datagrams sent and delivered, and
//! events. Two runs with equal hashes were equal in every byte and nanosecond.

use core::fmt::{self, Write as _};
use core::net::{IpAddr, SocketAddr};

use blake2::{Blake2s256, Digest as _};
use p2p_core::time::Instant;

/// Hash of a trace; prints as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceHash([u8; 32]);

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which way a datagram was seen.
#[derive(Clone, Copy)]
pub(crate) enum Sighting {
    Sent = 1,
    Delivered = 2,
}

pub(crate) struct Trace {
    hash: Blake2s256,
    text: String,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self {
            hash: Blake2s256::new(),
            text: String::new(),
        }
    }

    pub(crate) fn datagram(
        &mut self,
        sighting: Sighting,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) {
        self.hash.update([sighting as u8]);
        self.hash.update(now.as_nanos().to_be_bytes());
        for address in [from, to] {
            match address.ip() {
                IpAddr::V4(ip) => self.hash.update(ip.octets()),
                IpAddr::V6(ip) => self.hash.update(ip.octets()),
            }
            self.hash.update(address.port().to_be_bytes());
        }
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
    }

    pub(crate) fn event(&mut self, now: Instant, node: usize, event: &impl fmt::Debug) {
        self.text.clear();
        let _ = write!(self.text, "{node} {event:?}");
        self.hash.update([3]);
        self.hash.update(now.as_nanos().to_be_bytes());
        self.hash.update((self.text.len() as u64).to_be_bytes());
        self.hash.update(self.text.as_bytes());
    }

    pub(crate) fn hash(&self) -> TraceHash {
        TraceHash(self.hash.clone().finalize().into())
    }
}
