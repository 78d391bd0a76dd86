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
    "docs.html", "text/html; charset=utf-8";
    "app.css", "text/css; charset=utf-8";
    "api.js", "text/javascript; charset=utf-8";
    "app.js", "text/javascript; charset=utf-8";
    "chat.js", "text/javascript; charset=utf-8";
    "detail.js", "text/javascript; charset=utf-8";
    "docs.js", "text/javascript; charset=utf-8";
    "dom.js", "text/javascript; charset=utf-8";
    "history.js", "text/javascript; charset=utf-8";
    "contact.js", "text/javascript; charset=utf-8";
    "knocks.js", "text/javascript; charset=utf-8";
    "live.js", "text/javascript; charset=utf-8";
    "meet.js", "text/javascript; charset=utf-8";
    "peers.js", "text/javascript; charset=utf-8";
    "self.js", "text/javascript; charset=utf-8";
    "store.js", "text/javascript; charset=utf-8";
    "theme.js", "text/javascript; charset=utf-8";
    "icon.svg", "image/svg+xml";
};

/// One file.
#[derive(Clone)]
pub(crate) struct File {
    /// Content type.
    pub content_type: &'static str,
    /// Strong entity tag, with quotes.
    pub etag: String,
    /// Content.
    pub body: Bytes,
}

/// All files of the page.
pub(crate) struct Page {
    files: BTreeMap<&'static str, File>,
}

impl Page {
    /// Hashes the files once.
    pub(crate) fn new() -> Self {
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
    pub(crate) fn file(&self, name: &str) -> Option<&File> {
        self.files.get(name)
    }
}
