//! Text as one segment of a path, or one value of a query (RFC 3986 §2.1).

use std::fmt::Write as _;

/// Percent-encodes everything but unreserved characters.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_segment() {
        assert_eq!(segment("a/../b?c#d e@é"), "a%2F..%2Fb%3Fc%23d%20e%40%C3%A9");
        assert_eq!(segment("node.hello-1_2~"), "node.hello-1_2~");
    }
}
