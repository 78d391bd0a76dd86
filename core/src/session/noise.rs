//! The primitives behind `snow`: X25519 and ChaCha20-Poly1305 by aws-lc, BLAKE2s by the blake2
//! crate, and ephemeral keys from a seed that was drawn from the engine's own generator, so that a
//! handshake is a function of its inputs (Noise revision 34 §12).

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use blake2::Blake2s256;
use blake2::digest::{FixedOutput, Update};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};
use zeroize::Zeroizing;

use crate::identity::static_public;
use crate::rng::Rng;

/// Hands `snow` its primitives; ephemeral keys come from the seed.
pub(super) struct Resolver {
    seed: Zeroizing<[u8; 32]>,
}

impl Resolver {
    pub(super) fn new(seed: &Zeroizing<[u8; 32]>) -> Self {
        Self { seed: seed.clone() }
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(SeededRandom(Rng::from_seed(*self.seed))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::<X25519Dh>::default() as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, HashChoice::Blake2s).then(|| Box::<Blake2s>::default() as Box<dyn Hash>)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, CipherChoice::ChaChaPoly)
            .then(|| Box::<ChaChaPoly>::default() as Box<dyn Cipher>)
    }
}

struct SeededRandom(Rng);

impl Random for SeededRandom {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

/// X25519. `agree` fails where the shared secret is all zero (RFC 7748 §6.1), so low-order points
/// go nowhere.
#[derive(Default)]
struct X25519Dh {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
    key: Option<PrivateKey>,
}

impl Dh for X25519Dh {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        self.key = None;
        if let (Ok(bytes), Some(public)) = (secret.try_into(), static_public(secret)) {
            *self.secret = bytes;
            self.public = public;
            self.key = PrivateKey::from_private_key(&X25519, secret).ok();
        }
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        let mut secret = Zeroizing::new([0; 32]);
        rng.try_fill_bytes(secret.as_mut_slice())?;
        self.set(secret.as_slice());
        self.key.as_ref().map(|_| ()).ok_or(snow::Error::Dh)
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        self.secret.as_slice()
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let key = self.key.as_ref().ok_or(snow::Error::Dh)?;
        let public = public.first_chunk::<32>().ok_or(snow::Error::Dh)?;
        let public = UnparsedPublicKey::new(&X25519, public);
        agree(key, public, snow::Error::Dh, |shared| {
            let out = out.get_mut(..shared.len()).ok_or(snow::Error::Dh)?;
            out.copy_from_slice(shared);
            Ok(())
        })
    }
}

#[derive(Default)]
struct ChaChaPoly {
    key: Option<LessSafeKey>,
}

/// Noise revision 34 §12.3: 32 zero bits, then the counter in little endian.
fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; 12];
    if let Some(tail) = bytes.last_chunk_mut::<8>() {
        *tail = counter.to_le_bytes();
    }
    Nonce::assume_unique_for_key(bytes)
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.key = UnboundKey::new(&CHACHA20_POLY1305, key)
            .ok()
            .map(LessSafeKey::new);
    }

    /// Writes nothing where there is no key or no room; the other side then refuses the zeros.
    fn encrypt(&self, counter: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let length = plaintext.len() + 16;
        let (Some(key), Some(out)) = (&self.key, out.get_mut(..length)) else {
            return 0;
        };
        let Some((body, tag)) = out.split_last_chunk_mut::<16>() else {
            return 0;
        };
        body.copy_from_slice(plaintext);
        match key.seal_in_place_separate_tag(nonce(counter), Aad::from(authtext), body) {
            Ok(sealed) => tag.copy_from_slice(sealed.as_ref()),
            Err(_) => body.fill(0),
        }
        length
    }

    fn decrypt(
        &self,
        counter: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let key = self.key.as_ref().ok_or(snow::Error::Decrypt)?;
        let (body, tag) = ciphertext
            .split_last_chunk::<16>()
            .ok_or(snow::Error::Decrypt)?;
        let out = out.get_mut(..body.len()).ok_or(snow::Error::Decrypt)?;
        key.open_separate_gather(nonce(counter), Aad::from(authtext), body, tag, out)
            .map_err(|_| snow::Error::Decrypt)?;
        Ok(body.len())
    }
}

#[derive(Default)]
struct Blake2s(Blake2s256);

impl Hash for Blake2s {
    fn name(&self) -> &'static str {
        "BLAKE2s"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.0 = Blake2s256::default();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let hash = core::mem::take(&mut self.0).finalize_fixed();
        if let Some(out) = out.get_mut(..32) {
            out.copy_from_slice(&hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dh(seed: u8) -> X25519Dh {
        let mut dh = X25519Dh::default();
        dh.set(&[seed; 32]);
        dh
    }

    #[test]
    fn both_sides_agree() {
        let (a, b) = (dh(1), dh(2));
        let (mut ab, mut ba) = ([0; 56], [0; 56]);
        a.dh(b.pubkey(), &mut ab).unwrap();
        b.dh(a.pubkey(), &mut ba).unwrap();
        assert_eq!(ab, ba);
        assert_ne!(ab, [0; 56]);
    }

    #[test]
    fn low_order_points_are_refused() {
        let mut one = [0; 32];
        one[0] = 1;
        // p - 1, p and p + 1 (RFC 7748 §5; each has an order that divides the cofactor).
        let mut near_p = [0xff; 32];
        near_p[31] = 0x7f;
        let points = [0xec, 0xed, 0xee].map(|low| {
            near_p[0] = low;
            near_p
        });
        for point in [[0; 32], one].into_iter().chain(points) {
            let mut out = [0; 56];
            assert!(dh(3).dh(&point, &mut out).is_err(), "{point:02x?}");
        }
    }
}
