//! The web page: files compiled into the program, served with strong entity tags.

use std::collections::BTreeMap;

use blake2::{Blake2s256, Digest};
use bytes::Bytes;
use p2p_core::id::encode_z_base_32;

macro_rules! files {
    ($($name:literal, $kind:literal;)*) => {
        &[$(($name, $kind, include_bytes!(concat!("../web/", $name))),)*]
    };
}

const FILES: &[(&str, &str, &[u8])] = files! {
    "index.html", "text/html; charset=utf-8";
};

/// One file.
#[derive(Clone)]
pub struct File {
    /// Content type.
    pub content_type: &'static str,
    /// Strong entity tag, with quotes.
    pub etag: String,
    /// Content.
    pub body: Bytes,
}

/// All files of the page.
pub struct Page {
    files: BTreeMap<&'static str, File>,
}

impl Page {
    /// Hashes the files once.
    pub fn new() -> Self {
        let file = |(name, content_type, body): &(&'static str, &'static str, &'static [u8])| {
            let hash = Blake2s256::digest(body);
            let etag = format!("\"{}\"", encode_z_base_32(&hash[..16]));
            let file = File {
                content_type,
                etag,
                body: Bytes::from_static(body),
            };
            (*name, file)
        };
        Self {
            files: FILES.iter().map(file).collect(),
        }
    }

    /// A file by its name.
    pub fn file(&self, name: &str) -> Option<&File> {
        self.files.get(name)
    }
}
