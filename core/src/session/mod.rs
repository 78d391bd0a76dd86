//! Sessions: handshakes that agree keys with an identity (protocol §3), and the protection of data
//! packets under those keys (protocol §4).
//!
//! A handshake is a value that gives datagrams and takes datagrams; it ends in a [`Session`], which
//! seals and opens packets in place. Nothing here knows addresses beyond cookies, sends, or looks
//! at a clock: which handshake to start, answer or forget, and when, is decided by the caller with
//! the facts from [`Lifetime`].
//!
//! Everything that an attacker can send is refused as early and as cheaply as its contents allow:
//! length and type, then `mac1`, then (under load) `mac2`, and only then Diffie-Hellman and
//! signatures.

mod handshake;
mod lifetime;
mod noise;
mod protection;
mod replay;
mod reset;

pub(crate) use handshake::{
    CookieJar, ENGINE_CAPABILITIES, IkRequest, Initiator, LocalOffer, MacKey, RESUME, RecordCache,
    XxResponder, answer_xx, initiation_body, read_ik, receiver_index,
};
pub(crate) use lifetime::LifetimeAtRest;
pub(crate) use lifetime::{Age, Lifetime};
pub(crate) use protection::SessionAtRest;
#[cfg(test)]
pub(crate) use protection::Suite;
pub(crate) use protection::{OpenError, Opened, Session, TAG_BYTES};
pub(crate) use reset::{RESET_BYTES, RESET_TRIGGER_BYTES_MIN, ResetKey, build_reset, is_reset};
