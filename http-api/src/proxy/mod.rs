//! HTTP through the network: a program here asks its node, the node opens a stream to the peer's node, and that one
//! asks the peer's application (docs/http.md §4). Heads cross as parsed values, bodies as frames; each side writes its
//! own HTTP/1.1 framing, so that nothing is parsed twice (protocol §8.8). Plain connections have no format and share
//! names and codes only (protocol §8.9).
//!
//! Everything here is plain values in, plain values out. [`Calling`] is the exchange at the node that asks,
//! [`Serving`] at the one that is asked; `fields` says which header fields pass, `path` which targets, `answer` reads
//! what an application writes.

mod answer;
mod calling;
mod fields;
mod frame;
mod head;
mod path;
mod serving;

pub(crate) use calling::{Calling, CallingStep, Refusal};
pub(crate) use fields::request_fields;
pub(crate) use head::{Body, RequestHead, ResponseHead, SWITCHING};
pub(crate) use path::is_clean;
pub(crate) use serving::{Caller, Serving, ServingStep};

use p2p_core::api::answer_status;

/// What begins the name under which a stream to an HTTP service is opened, before a slash.
pub(crate) const HTTP_KIND: &str = "http";
/// What begins the name under which a stream to a TCP service is opened, before a slash.
pub(crate) const TCP_KIND: &str = "tcp";
/// Longest name of an HTTP or TCP service, bytes.
pub(crate) const NAME_BYTES: usize = 40;

/// Codes with which halves of such streams are abandoned.
pub(crate) mod code {
    /// The answer is complete; the rest of the upload is not wanted.
    pub(crate) const DONE: u64 = 0x100;
    /// Client or application went away.
    pub(crate) const CANCELLED: u64 = 0x101;
    /// No such service, or not for this peer.
    pub(crate) const NO_SERVICE: u64 = 0x102;
    /// No room now; nothing was carried out.
    pub(crate) const REJECTED: u64 = 0x103;
    /// The application does not listen.
    pub(crate) const REFUSED: u64 = 0x104;
    /// The application broke off after its head.
    pub(crate) const CUT: u64 = 0x105;
    /// A body was not as long as told, or ended inside a frame.
    pub(crate) const LENGTH: u64 = 0x106;
    /// What came is none of this format.
    pub(crate) const MALFORMED: u64 = 0x107;
    /// Something is longer than it may be.
    pub(crate) const TOO_LARGE: u64 = 0x108;
    /// There is a service of that name, and it is of another kind.
    pub(crate) const WRONG_KIND: u64 = 0x109;
}

/// What a node says in the application's place.
pub(crate) mod status {
    use super::answer_status;

    /// The application does not listen.
    pub(crate) const UNAVAILABLE: u16 = answer_status::UNAVAILABLE;
    /// It broke off before its head, or answered badly.
    pub(crate) const BROKEN: u16 = answer_status::BROKEN;
    /// Its head did not come in time.
    pub(crate) const TIMED_OUT: u16 = 9;
    /// The request has been here before.
    pub(crate) const LOOP: u16 = 10;
}

/// Why something that came is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// It is none of this format.
    Malformed,
    /// It is longer than it may be.
    TooLarge,
    /// A body is not as long as told.
    Length,
}

impl Fault {
    /// Code to abandon the stream with.
    pub(crate) const fn code(self) -> u64 {
        match self {
            Self::Malformed => code::MALFORMED,
            Self::TooLarge => code::TOO_LARGE,
            Self::Length => code::LENGTH,
        }
    }
}

/// Whether a text may name an HTTP or TCP service: 1 to 40 of a-z, 0-9 and single hyphens inside.
pub(crate) fn is_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=NAME_BYTES).contains(&name.len())
        && name.bytes().all(fits)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_become_part_of_a_host() {
        for name in ["a", "web", "photo-album", "0", &"x".repeat(40)] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "-",
            "a-",
            "-a",
            "a--b",
            "A",
            "a.b",
            "a/b",
            "é",
            &"x".repeat(41),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
