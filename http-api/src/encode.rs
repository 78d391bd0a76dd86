//! Text forms: base64 for bytes in JSON (RFC 4648 §4), percent-decoding of request targets (RFC 3986 §2.1), and
//! cursors, which carry a mark of this run so that one from before a restart is recognised.

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes bytes in base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            if i <= group.len() {
                let letter = BASE64[(bits >> (18 - 6 * i) & 63) as usize];
                text.push(char::from(letter));
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// Undoes percent-encoding; `None` for a broken escape or bytes that are not UTF-8. `plus_is_space` for queries.
pub(crate) fn percent_decode(text: &str, plus_is_space: bool) -> Option<String> {
    String::from_utf8(decode(text, plus_is_space)?).ok()
}

/// Undoes percent-encoding of a path; `None` for a broken escape.
pub(crate) fn percent_decode_bytes(text: &str) -> Option<Vec<u8>> {
    decode(text, false)
}

fn decode(text: &str, plus_is_space: bool) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let value = digit()? << 4 | digit()?;
                bytes.push(u8::try_from(value).ok()?);
            }
            b'+' if plus_is_space => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    Some(bytes)
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            for digit in [byte >> 4, byte & 0xF] {
                encoded.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
            }
        }
    }
    encoded
}

/// A field's value as text; one that is not UTF-8 is read as Latin-1.
pub(crate) fn text_of(value: Vec<u8>) -> String {
    String::from_utf8(value)
        .unwrap_or_else(|e| e.as_bytes().iter().map(|b| char::from(*b)).collect())
}

/// A mark of this run, so that cursors and ids of an earlier run are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunMark(pub u32);

impl RunMark {
    /// Writes a number as an opaque text.
    pub(crate) fn encode(self, number: u64) -> String {
        format!("{:08x}-{number}", self.0)
    }

    /// Reads a number; `None` where the text is foreign or of another run.
    pub(crate) fn decode(self, text: &str) -> Option<u64> {
        let (mark, number) = text.split_once('-')?;
        let canonical = !number.starts_with('+');
        let same = u32::from_str_radix(mark, 16).ok()? == self.0 && mark.len() == 8;
        number.parse().ok().filter(|_| same && canonical)
    }

    /// Whether the text has the form of a cursor, of whatever run.
    pub(crate) fn well_formed(text: &str) -> bool {
        text.split_once('-').is_some_and(|(mark, number)| {
            mark.len() == 8
                && mark.bytes().all(|b| b.is_ascii_hexdigit())
                && number.parse::<u64>().is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_vectors_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xFB, 0xFF, 0xBF]), "+/+/");
    }

    #[test]
    fn percent_decoding_refuses_broken_escapes() {
        assert_eq!(percent_decode("a%20b+c", false).as_deref(), Some("a b+c"));
        assert_eq!(percent_decode("a%20b+c", true).as_deref(), Some("a b c"));
        assert_eq!(percent_decode("%e2%82%ac", false).as_deref(), Some("€"));
        for broken in ["%", "%2", "%zz", "%ff", "%-1"] {
            assert_eq!(percent_decode(broken, false), None, "{broken}");
        }
    }

    #[test]
    fn what_is_percent_encoded_comes_back() {
        let text = "a b/é~%\n";
        assert_eq!(percent_encode(text), "a%20b%2F%C3%A9~%25%0A");
        assert_eq!(
            percent_decode(&percent_encode(text), false).as_deref(),
            Some(text)
        );
        assert_eq!(text_of(b"\xE9".to_vec()), "é");
        assert_eq!(text_of("é".into()), "é");
    }

    #[test]
    fn marks_tell_runs_apart() {
        let text = RunMark(7).encode(12);
        assert_eq!(RunMark(7).decode(&text), Some(12));
        assert_eq!(RunMark(8).decode(&text), None);
        assert!(RunMark::well_formed(&text));
        assert!(!RunMark::well_formed("12"));
    }
}
