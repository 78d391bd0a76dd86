//! The codec: bytes to typed values and back, nothing else (protocol §1, §4.1, §5, §6, §11).
//!
//! Decoders borrow from the datagram and never panic, allocate beyond their own bound or loop
//! without consuming. Every frame has exactly one spelling, so that what was accepted encodes to
//! the same bytes. Encoders write into a buffer of the caller and allocate nothing; only control
//! messages, which are rare, build a `Vec`. Whether a decoded value makes sense now is decided by
//! the component that it is for.

pub mod control;
pub mod frame;
pub mod name;
pub mod packet;
pub mod reader;
pub mod stun;
pub mod writer;

pub use reader::Reader;
pub use writer::{NoRoom, VARINT_MAX, Writer, varint_len};
