//! What may stand for a name in a control message (protocol §6): 1 to 64 bytes of UTF-8 without control
//! characters, white space, `@` and `/`. A text that reads as a node id is no name, because `u` in
//! control messages carries either. Whether it may be registered is another question ([`crate::name`]).

use crate::id::NodeId;
use crate::limits;

/// Whether `text` may travel as a name.
#[must_use]
pub(crate) fn is_valid(text: &str) -> bool {
    (1..=limits::NAME_BYTES).contains(&text.len())
        && !text.chars().any(is_forbidden)
        && text.parse::<NodeId>().is_err()
}

fn is_forbidden(c: char) -> bool {
    c.is_control() || c.is_whitespace() || c == '@' || c == '/'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_plain() {
        for name in ["a", "Zoë", "日本", &"x".repeat(64), "quote\"back\\slash"] {
            assert!(is_valid(name), "{name}");
        }
        for name in [
            "",
            "a b",
            "a@b",
            "a/b",
            "a\u{a0}b",
            "a\u{7f}",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(!is_valid(name), "{name:?}");
        }
        assert!(!is_valid(&NodeId::from_bytes([7; 32]).to_string()));
    }
}
