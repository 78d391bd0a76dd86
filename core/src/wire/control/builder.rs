//! A JSON object in the making (protocol §6): attributes in the order in which they are given, no white space.

use core::fmt::{Display, Write as _};
use core::net::SocketAddr;

use super::names::{ours, seed};
use crate::id::encode_z_base_32;

/// A JSON string with its quotes.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An object in the making.
pub(super) struct Builder(String);

impl Builder {
    pub(super) fn new() -> Self {
        Self(String::from("{"))
    }

    pub(super) fn command(name: &str) -> Self {
        Self::new().text(seed::COMMAND, name)
    }

    pub(super) fn raw(mut self, key: &str, value: impl Display) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(self.0, "\"{key}\":{value}");
        self
    }

    pub(super) fn text(self, key: &str, value: &str) -> Self {
        self.raw(key, quoted(value))
    }

    pub(super) fn optional_text(self, key: &str, value: Option<&String>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    pub(super) fn reference(self, key: &str, value: u64) -> Self {
        self.raw(key, format_args!("\"{value:016x}\""))
    }

    pub(super) fn channel(self, value: u32) -> Self {
        self.raw(ours::CHANNEL, format_args!("\"{value:08x}\""))
    }

    pub(super) fn record(self, key: &str, bytes: &[u8]) -> Self {
        self.raw(key, format_args!("\"{}\"", encode_z_base_32(bytes)))
    }

    pub(super) fn address(self, address: SocketAddr) -> Self {
        self.raw(seed::HOST, format_args!("\"{}\"", address.ip()))
            .raw(seed::PORT, address.port())
    }

    pub(super) fn list(self, key: &str, items: impl Iterator<Item = Builder>) -> Self {
        let items: Vec<String> = items.map(Builder::finish).collect();
        self.raw(key, format_args!("[{}]", items.join(",")))
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
