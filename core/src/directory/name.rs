//! Names: which texts may be registered and when two of them are the same (protocol §2.3). Takes: text.
//! Returns: the folded form under which the directory orders, compares and searches names.

use crate::id::NodeId;
use crate::limits::NAME_BYTES;

/// Whether `name` may be registered: 1 to 64 bytes, no control character, no white space, no `@` or `/`,
/// and not the text of a node id, which would shadow that node in every place that takes either.
#[must_use]
pub(crate) fn is_valid_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || c == '@' || c == '/';
    (1..=NAME_BYTES).contains(&name.len())
        && !name.contains(forbidden)
        && fold_name(name).parse::<NodeId>().is_err()
}

/// Lower-cases character by character: unlike a whole text's lower case, the fold of a prefix is then always
/// a prefix of the fold.
#[must_use]
pub(crate) fn fold_name(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        fn folding_keeps_prefixes(a: String, b: String) -> bool {
            fold_name(&format!("{a}{b}")).starts_with(&fold_name(&a))
        }
    }

    #[test]
    fn names_follow_the_specification() {
        for good in ["a", "Ada.Lovelace", "日本", &"x".repeat(64)] {
            assert!(is_valid_name(good), "{good}");
        }
        let id = NodeId::from_bytes([3; 32]).to_string();
        let shouted = id.to_uppercase();
        for bad in [
            "",
            "a b",
            "a@b",
            "a/b",
            "a\n",
            "\u{a0}x",
            &"x".repeat(65),
            &id,
            &shouted,
        ] {
            assert!(!is_valid_name(bad), "{bad}");
        }
    }
}
