//! What a surface is told when it is made: the token that opens it, the host names it answers to, and what it says
//! about the program around it. Nothing here is read from the environment.

use core::fmt;
use std::collections::BTreeMap;

use p2p_core::id::decode_z_base_32;
use p2p_storage::Book;
use serde::Serialize;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use zeroize::Zeroize;

/// The secret that opens the surface: 256 bits, wiped from memory when dropped.
pub struct Token([u8; 32]);

/// The text is neither 52 z-base-32 characters nor 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidToken;

impl fmt::Display for InvalidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token is 52 z-base-32 characters or 64 hexadecimal digits")
    }
}

impl core::error::Error for InvalidToken {}

impl Token {
    /// Wraps 32 random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the text form; white space around it is allowed, as in a file that ends with a newline.
    ///
    /// # Errors
    /// [`InvalidToken`] where it is neither spelling.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        let text = text.trim();
        let mut bytes = if text.len() == 64 {
            decode_hex(text)
        } else {
            decode_z_base_32(text)
        }
        .ok_or(InvalidToken)?;
        let array = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| InvalidToken);
        bytes.zeroize();
        array.map(Self)
    }

    /// The key under which log-ins are made; another token has another one.
    pub(crate) fn session_key(&self) -> [u8; 32] {
        use blake2::Digest as _;
        let hash = blake2::Blake2s256::new();
        hash.chain_update(b"p2p log-in")
            .chain_update(self.0)
            .finalize()
            .into()
    }

    /// Whether `text` spells this token; takes the same time wherever the first difference is.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        Self::parse(text).is_ok_and(|other| bool::from(self.0.ct_eq(&other.0)))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

/// Everything a surface is told when it is made.
pub struct SurfaceConfig {
    /// The secret that opens it.
    pub token: Token,
    /// `Host` values it answers to, with the port, lower case: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`.
    pub allowed_hosts: Vec<String>,
    /// Version of the program around it.
    pub version: String,
    /// Driver that runs it: `smol`, `threads` or `sim`.
    pub driver: &'static str,
    /// How the node is set up, by the key of each setting; shown, so without secrets.
    pub settings: BTreeMap<&'static str, SettingValue>,
    /// Whether forwards listen on loopback only.
    pub local_forwards: bool,
    /// Contacts, names and messages as they were kept.
    pub book: Book,
    /// Where messages are kept from now on.
    pub inbox: InboxPlace,
    /// Seed of session ids, tickets and cursors; from the operating system in production.
    pub rng_seed: [u8; 32],
}

/// Where messages are kept until an application acknowledges them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InboxPlace {
    /// On disk, where there is one: what a sender was told is delivered outlives the program and the machine's power.
    #[default]
    Disk,
    /// In memory: it ends with the program.
    Memory,
}

impl InboxPlace {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Memory => "memory",
        }
    }
}

impl core::str::FromStr for InboxPlace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Disk, Self::Memory];
        let found = all.into_iter().find(|place| place.word() == text);
        found.ok_or("must be disk or memory")
    }
}

/// What a setting stands at, as JSON has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum SettingValue {
    /// On or off.
    Switch(bool),
    /// A count, or a size in bytes.
    Number(u64),
    /// A word, an address, a path.
    Text(String),
    /// Several of them.
    List(Vec<String>),
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(on) => on.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::List(items) => items.join(", ").fmt(f),
        }
    }
}

impl SurfaceConfig {
    /// The three spellings of loopback with one port.
    #[must_use]
    pub fn loopback_hosts(port: u16) -> Vec<String> {
        ["127.0.0.1", "[::1]", "localhost"]
            .iter()
            .map(|host| format!("{host}:{port}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_open() {
        let token = Token::from_bytes([0xA7; 32]);
        assert!(token.matches(&"a7".repeat(32)));
        assert!(token.matches(&p2p_core::id::encode_z_base_32(&[0xA7; 32])));
        assert!(!token.matches(&"a8".repeat(32)));
        assert!(!token.matches(""));
        assert!(Token::parse(&"é".repeat(32)).is_err());
    }
}
