//! The link itself: `p2p:j/` and one token in z-base-32, which a person can paste, and a QR code can carry in its
//! alphanumeric mode.
//!
//! docs/protocol.md §8.10 has the bytes of the token. It is not signed: whoever could change a link on its way could
//! replace it by one of their own. What matters is the inviter's identity, which the handshake proves; the check tells
//! a link that was copied in part.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use blake2::{Blake2s256, Digest};
use p2p_core::api::IntroducerAddress;
use p2p_core::id::{NodeId, decode_z_base_32, encode_z_base_32};
use p2p_core::name::validate_name;

use super::proof::{SECRET_BYTES, Secret};

/// What a link begins with.
pub(crate) const SCHEME: &str = "p2p:j/";
/// Most introducers in a link.
pub(crate) const INTRODUCERS: usize = 2;
/// Most addresses of the inviter in a link.
pub(crate) const ADDRESSES: usize = 2;
const VERSION: u8 = 1;
const CHECK_BYTES: usize = 4;
/// Longer texts are no links; two introducers with the longest host names fit.
const TEXT_BYTES: usize = 2_048;

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InviteLink {
    /// Who invites.
    pub inviter: NodeId,
    /// What shows that the inviter's owner gave the link out.
    pub secret: Secret,
    /// Until when it holds, seconds since 1970.
    pub expires_unix_s: u32,
    /// Where the inviter is registered.
    pub introducers: Vec<IntroducerAddress>,
    /// Where the inviter itself may be reached.
    pub addresses: Vec<SocketAddr>,
    /// What the inviter says that it is called.
    pub name: Option<String>,
}

/// Why a text is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidLink {
    /// It does not begin as a link does.
    NoLink,
    /// It was cut, or a character was changed.
    Mangled,
    /// A later version of the program made it.
    Newer,
}

impl fmt::Display for InvalidLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoLink => "must be a link that begins with p2p:j/",
            Self::Mangled => {
                "must be a whole link: a part of this one is missing, or a character is wrong"
            }
            Self::Newer => "must be a link of this version: a later program made this one",
        })
    }
}

impl InviteLink {
    /// Writes it.
    pub(crate) fn to_text(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(self.inviter.as_bytes());
        bytes.extend_from_slice(&self.secret.0);
        bytes.extend_from_slice(&self.expires_unix_s.to_be_bytes());
        let introducers = self
            .introducers
            .get(..INTRODUCERS)
            .unwrap_or(&self.introducers);
        bytes.push(small(introducers.len()));
        for introducer in introducers {
            bytes.extend_from_slice(introducer.id.as_bytes());
            put_place(&mut bytes, &introducer.host, introducer.port);
        }
        let addresses = self.addresses.get(..ADDRESSES).unwrap_or(&self.addresses);
        bytes.push(small(addresses.len()));
        for address in addresses {
            put_place(&mut bytes, &address.ip().to_string(), address.port());
        }
        let name = self.name.as_deref().unwrap_or_default();
        bytes.push(small(name.len()));
        bytes.extend_from_slice(name.as_bytes());
        let check = check(&bytes);
        bytes.extend_from_slice(&check);
        format!("{SCHEME}{}", encode_z_base_32(&bytes))
    }

    /// Reads it. White space inside, as mail programs put it there, and capitals, as QR codes have them, do not matter.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidLink> {
        if text.len() > TEXT_BYTES {
            return Err(InvalidLink::NoLink);
        }
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let text = text.to_ascii_lowercase();
        let token = text.strip_prefix(SCHEME).ok_or(InvalidLink::NoLink)?;
        let bytes = decode_z_base_32(token).ok_or(InvalidLink::Mangled)?;
        let (rest, found) = bytes
            .split_last_chunk::<CHECK_BYTES>()
            .ok_or(InvalidLink::Mangled)?;
        if check(rest) != *found {
            return Err(InvalidLink::Mangled);
        }
        let (version, rest) = rest.split_first().ok_or(InvalidLink::Mangled)?;
        if *version != VERSION {
            return Err(InvalidLink::Newer);
        }
        read(&mut Reader(rest)).ok_or(InvalidLink::Mangled)
    }
}

fn read(from: &mut Reader<'_>) -> Option<InviteLink> {
    let inviter = NodeId::from_bytes(from.array()?);
    let secret = Secret(from.array::<SECRET_BYTES>()?);
    let expires_unix_s = u32::from_be_bytes(from.array()?);
    let mut introducers = Vec::new();
    for _ in 0..from.count(INTRODUCERS)? {
        let id = NodeId::from_bytes(from.array()?);
        let (host, port) = from.place()?;
        // The same rules as for an address that a person writes.
        let address = IntroducerAddress { id, host, port }.to_string();
        introducers.push(address.parse().ok()?);
    }
    let mut addresses = Vec::new();
    for _ in 0..from.count(ADDRESSES)? {
        let (host, port) = from.place()?;
        addresses.push(SocketAddr::new(host.parse().ok()?, port));
    }
    let length = from.byte()?;
    let name = core::str::from_utf8(from.take(length.into())?).ok()?;
    if !name.is_empty() && validate_name(name).is_err() || !from.0.is_empty() {
        return None;
    }
    Some(InviteLink {
        inviter,
        secret,
        expires_unix_s,
        introducers,
        addresses,
        name: Some(name.to_owned()).filter(|name| !name.is_empty()),
    })
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn count(&mut self, most: usize) -> Option<u8> {
        self.byte().filter(|count| usize::from(*count) <= most)
    }

    /// Host or address, and port.
    fn place(&mut self) -> Option<(String, u16)> {
        let host = match self.byte()? {
            4 => IpAddr::from(self.array::<4>()?).to_string(),
            6 => IpAddr::from(self.array::<16>()?).to_string(),
            0 => {
                let length = self.byte()?;
                let name = self.take(length.into())?;
                core::str::from_utf8(name).ok()?.to_owned()
            }
            _ => return None,
        };
        let port = u16::from_be_bytes(self.array()?);
        (port != 0).then_some((host, port))
    }
}

fn put_place(bytes: &mut Vec<u8>, host: &str, port: u16) {
    match host.parse() {
        Ok(IpAddr::V4(ip)) => {
            bytes.push(4);
            bytes.extend_from_slice(&ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            bytes.push(6);
            bytes.extend_from_slice(&ip.octets());
        }
        Err(_) => {
            bytes.extend_from_slice(&[0, small(host.len())]);
            bytes.extend_from_slice(host.as_bytes());
        }
    }
    bytes.extend_from_slice(&port.to_be_bytes());
}

/// Counts and lengths here are bounded where they are made: hosts have 253 bytes at most, names 64.
fn small(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = Blake2s256::new()
        .chain_update(b"p2p invite link")
        .chain_update(bytes)
        .finalize();
    core::array::from_fn(|i| hash[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> InviteLink {
        let introducer = |n: u8, host: &str| IntroducerAddress {
            id: NodeId::from_bytes([n; 32]),
            host: host.to_owned(),
            port: 6_660,
        };
        InviteLink {
            inviter: NodeId::from_bytes([1; 32]),
            secret: Secret([9; SECRET_BYTES]),
            expires_unix_s: 1_800_000_000,
            introducers: vec![
                introducer(2, "introducer.example.org"),
                introducer(3, "2001:db8::1"),
            ],
            addresses: vec!["192.0.2.7:6660".parse().expect("an address")],
            name: Some("ada".to_owned()),
        }
    }

    #[test]
    fn a_link_says_what_was_put_in() {
        let bare = InviteLink {
            introducers: Vec::new(),
            addresses: Vec::new(),
            name: None,
            ..link()
        };
        for link in [link(), bare] {
            let text = link.to_text();
            assert_eq!(InviteLink::parse(&text), Ok(link.clone()));
            assert_eq!(InviteLink::parse(&text.to_uppercase()), Ok(link.clone()));
            let (head, tail) = text.split_at(40);
            assert_eq!(
                InviteLink::parse(&format!("  {head}\r\n {tail}\n")),
                Ok(link)
            );
        }
    }

    #[test]
    fn a_link_with_any_character_changed_or_missing_is_none() {
        let text = link().to_text();
        for at in SCHEME.len()..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'y' { b'b' } else { b'y' };
            let changed = String::from_utf8(changed).expect("text");
            assert!(InviteLink::parse(&changed).is_err(), "at {at}");
            assert!(InviteLink::parse(&text[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(InviteLink::parse("p2p://x@y:1"), Err(InvalidLink::NoLink));
        assert_eq!(
            InviteLink::parse(&format!("{SCHEME}{}", "y".repeat(4_000))),
            Err(InvalidLink::NoLink)
        );
    }

    /// Whoever makes a link can make its check fit; what is inside is read with care all the same.
    #[test]
    fn a_link_made_with_ill_will_is_read_with_care() {
        let forge = |change: &dyn Fn(&mut Vec<u8>)| {
            let token = link().to_text().split_off(SCHEME.len());
            let mut bytes = decode_z_base_32(&token).expect("a token");
            bytes.truncate(bytes.len() - CHECK_BYTES);
            change(&mut bytes);
            let check = check(&bytes);
            bytes.extend_from_slice(&check);
            InviteLink::parse(&format!("{SCHEME}{}", encode_z_base_32(&bytes)))
        };
        assert_eq!(forge(&|_| {}), Ok(link()));
        assert_eq!(forge(&|b| b[0] = 2), Err(InvalidLink::Newer));
        // 53 is the number of introducers, 86 the kind of the first one's place, 87 the length of its host.
        for (at, value) in [(53, 3), (53, 255), (86, 5), (87, 255), (87, 0), (88, b' ')] {
            assert_eq!(
                forge(&|b| b[at] = value),
                Err(InvalidLink::Mangled),
                "{at}: {value}"
            );
        }
        assert_eq!(
            forge(&|b| b.push(0)),
            Err(InvalidLink::Mangled),
            "more behind the end"
        );
        let name_at = |b: &Vec<u8>| b.len() - 3;
        assert_eq!(
            forge(&|b| {
                let at = name_at(b);
                b[at] = 0x1B;
            }),
            Err(InvalidLink::Mangled)
        );
    }
}
