//! The secret between this node and one application, and what is signed with it (Standard Webhooks): other programs
//! and users of this machine reach the application's port, too.

use hmac::{Hmac, Mac};
use p2p_core::id::{decode_z_base_32, encode_z_base_32};
use sha2::Sha256;

use crate::encode::base64;

/// Signs callbacks of one service.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret([u8; 32]);

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Wraps 32 random bytes.
    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As it is kept.
    pub(crate) fn to_kept(&self) -> String {
        encode_z_base_32(&self.0)
    }

    /// Reads what was kept.
    pub(crate) fn from_kept(text: &str) -> Option<Self> {
        decode_z_base_32(text)?.try_into().ok().map(Self)
    }

    /// As the application is told it, once.
    pub(crate) fn text(&self) -> String {
        format!("whsec_{}", base64(&self.0))
    }

    /// Value of `webhook-signature`.
    pub(crate) fn sign(&self, id: &str, unix_s: u64, body: &[u8]) -> String {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        mac.update(format!("{id}.{unix_s}.").as_bytes());
        mac.update(body);
        format!("v1,{}", base64(&mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figure comes from Python's `hmac` and `base64` modules.
    #[test]
    fn another_implementation_signs_alike() {
        let secret = Secret::from_bytes([0x61; 32]);
        assert_eq!(
            secret.text(),
            "whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
        );
        assert_eq!(
            secret.sign("m1", 1_700_000_000, b"hello"),
            "v1,KR+J8MpxNV7LvPzfG0fWkBWRVjNlDwlPAmXI28N/ssI="
        );
        assert_ne!(
            secret.sign("m2", 1_700_000_000, b"hello"),
            "v1,KR+J8MpxNV7LvPzfG0fWkBWRVjNlDwlPAmXI28N/ssI="
        );
    }
}
