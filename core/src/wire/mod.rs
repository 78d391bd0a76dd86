//! The codec: bytes to typed values and back, nothing else (protocol §1, §4.1, §5, §6, §11).
//!
//! Decoders borrow from the datagram and never panic, allocate beyond their own bound or loop
//! without consuming. Every frame has exactly one spelling, so that what was accepted encodes to
//! the same bytes. Encoders write into a buffer of the caller and allocate nothing; only control
//! messages, which are rare, build a `Vec`. Whether a decoded value makes sense now is decided by
//! the component that it is for.

pub(crate) mod control;
pub(crate) mod frame;
pub(crate) mod name;
pub(crate) mod packet;
pub(crate) mod reader;
pub(crate) mod stun;
mod tag;
pub(crate) mod writer;

pub(crate) use reader::Reader;
pub(crate) use tag::{put_tag, read_tag, tag_len};
pub(crate) use writer::{NoRoom, VARINT_MAX, Writer, varint_len};
