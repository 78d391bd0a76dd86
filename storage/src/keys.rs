//! The key file: the two secrets of a node and the number of its key record, beside the public keys they make, so
//! that damage to a secret shows instead of becoming another identity.

use std::fmt::Write as _;
use std::path::Path;

use p2p_core::id::NodeId;
use p2p_core::identity::Identity;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::error::{StateError, StateErrorKind};
use crate::files;

/// Name of the key file.
pub(crate) const KEY_FILE: &str = "identity.json";
const VERSION: u64 = 1;
/// Longest key file, bytes: four texts of 64 characters and their names, twice over.
const KEY_FILE_BYTES: usize = 1_024;

/// The secrets of a node; wiped when dropped, never printed.
pub struct NodeKeys {
    /// Ed25519 seed of the identity.
    pub identity_seed: Zeroizing<[u8; 32]>,
    /// Secret of the X25519 static key.
    pub static_seed: Zeroizing<[u8; 32]>,
    /// Sequence number of the key record; one more after each new static seed.
    pub record_sequence: u64,
}

impl NodeKeys {
    /// Fresh keys from the operating system's randomness.
    fn generate(path: &Path) -> Result<Self, StateError> {
        Ok(Self {
            identity_seed: random(path)?,
            static_seed: random(path)?,
            record_sequence: 1,
        })
    }

    /// The node id that these keys make.
    ///
    /// # Errors
    /// Where the seeds make no keys.
    pub fn node_id(&self) -> Result<NodeId, StateError> {
        self.public(Path::new(KEY_FILE)).map(|(id, _)| id)
    }

    fn public(&self, path: &Path) -> Result<(NodeId, [u8; 32]), StateError> {
        let keys =
            Identity::from_seeds(&self.identity_seed, &self.static_seed, self.record_sequence);
        let keys = keys.map_err(|e| StateError::broken(path, &e.to_string()))?;
        Ok((keys.node_id(), *keys.static_public()))
    }
}

/// 32 bytes from the operating system.
pub(crate) fn random(path: &Path) -> Result<Zeroizing<[u8; 32]>, StateError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
        StateError::new(
            StateErrorKind::System,
            format!("cannot make {}", path.display()),
            format!("the operating system gives no randomness ({error})"),
            "make /dev/urandom or getrandom(2) available to this process",
        )
    })?;
    Ok(bytes)
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile<'a> {
    #[serde(rename = "version")]
    _version: u64,
    node_id: &'a str,
    static_key: &'a str,
    identity_seed: &'a str,
    static_seed: &'a str,
    record_sequence: u64,
}

pub(crate) fn load_or_create(folder: &Path) -> Result<NodeKeys, StateError> {
    let path = folder.join(KEY_FILE);
    match files::read_private(&path, KEY_FILE_BYTES)? {
        Some(bytes) => parse(&path, &bytes),
        None => {
            let keys = NodeKeys::generate(&path)?;
            write(folder, &keys)?;
            Ok(keys)
        }
    }
}

pub(crate) fn write(folder: &Path, keys: &NodeKeys) -> Result<(), StateError> {
    let path = folder.join(KEY_FILE);
    let (id, static_key) = keys.public(&path)?;
    let identity_seed = hex(keys.identity_seed.as_slice());
    let static_seed = hex(keys.static_seed.as_slice());
    let (static_key, sequence) = (hex(&static_key), keys.record_sequence);
    // Room for everything at once: a growing text would leave copies of the secrets behind.
    let mut text = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES));
    let written = writeln!(
        text,
        "{{\"version\":{VERSION},\"node_id\":\"{id}\",\"static_key\":\"{}\",\n\
         \"identity_seed\":\"{}\",\"static_seed\":\"{}\",\"record_sequence\":{sequence}}}",
        *static_key, *identity_seed, *static_seed,
    );
    debug_assert!(written.is_ok(), "writing to a text cannot fail");
    files::replace(&path, text.as_bytes()).map_err(|e| StateError::system("write", &path, &e))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<NodeKeys, StateError> {
    let broken = |why: &str| StateError::broken(path, why);
    if !bytes.ends_with(b"}\n") {
        return Err(broken("the key file is cut off"));
    }
    let version = serde_json::from_slice::<Versioned>(bytes)
        .map_err(|_| broken("the key file is damaged"))?
        .version;
    if version > VERSION {
        return Err(StateError::new(
            StateErrorKind::NewerVersion,
            format!("cannot use {}", path.display()),
            format!("it has version {version}, and this program knows {VERSION}"),
            "run the newer program, or give this one a directory of its own",
        ));
    }
    let file: KeyFile<'_> =
        serde_json::from_slice(bytes).map_err(|_| broken("the key file is damaged"))?;
    let seed = |text| unhex(text).ok_or_else(|| broken("a secret in the key file is damaged"));
    let keys = NodeKeys {
        identity_seed: seed(file.identity_seed)?,
        static_seed: seed(file.static_seed)?,
        record_sequence: file.record_sequence,
    };
    let (id, static_key) = keys.public(path)?;
    let fits = file.node_id == id.to_string() && file.static_key == hex(&static_key).as_str();
    if version != VERSION || !fits {
        return Err(broken("the secrets do not fit the public keys beside them"));
    }
    Ok(keys)
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text
}

/// Reads 64 lower-case hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    if text.len() != 64 || text.contains(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digit = |i: usize| pair.get(i).and_then(|b| char::from(*b).to_digit(16));
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(bytes)
}
