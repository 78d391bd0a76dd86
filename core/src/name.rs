//! Names: which texts may be registered, with the reason where one may not, and when two of them are the same
//! (protocol §2.3). Takes: text. The one rule for configuration, records, registrations and what introducers answer.

use core::fmt;

use unicode_normalization::is_nfc;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection as _};

use crate::id::{NodeId, ids_with_prefix};
use crate::limits::NAME_BYTES;

/// First characters of an id that may stand for it: a name that is as long and reads as some would shadow it.
pub const ID_PREFIX_CHARACTERS_MIN: usize = 8;

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidName {
    /// It is empty or longer than [`NAME_BYTES`].
    Length,
    /// It has a character that separates, or one that nobody sees: white space, a control, `@`, `/`, a zero-width or
    /// reordering character.
    Character(char),
    /// It reads as a node id, or as the first 8 characters or more of one, with a digit.
    ReadsAsId,
    /// It can pass for another text: scripts are mixed beyond "moderately restrictive" (UTS #39 §5.2), a letter is none
    /// that names use, or an accent stands alone that belongs to a letter (not in NFC).
    Confusable,
}

impl InvalidName {
    /// What a name must be, for whoever has to choose another.
    #[must_use]
    pub const fn must(self) -> &'static str {
        match self {
            Self::Length => "must have 1 to 64 bytes",
            Self::Character(_) => {
                "must not have white space, @, /, controls or characters that nobody sees"
            }
            Self::ReadsAsId => {
                "must not read as the beginning of a node id: add, for instance, a hyphen"
            }
            Self::Confusable => {
                "must not pass for another: letters of one script, or Latin with one other than \
                 Greek or Cyrillic"
            }
        }
    }
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a name {}", self.must())?;
        match self {
            Self::Character(c) => write!(f, " (U+{:04X})", u32::from(*c)),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for InvalidName {}

/// Checks a name against protocol §2.3.
///
/// # Errors
/// [`InvalidName`].
pub fn validate_name(name: &str) -> Result<(), InvalidName> {
    if !(1..=NAME_BYTES).contains(&name.len()) {
        return Err(InvalidName::Length);
    }
    let separates = |c: &char| c.is_control() || c.is_whitespace() || matches!(c, '@' | '/');
    if let Some(c) = name.chars().find(|c| separates(c) || is_invisible(*c)) {
        return Err(InvalidName::Character(c));
    }
    let folded = fold_name(name);
    if reads_as_id(&folded) {
        return Err(InvalidName::ReadsAsId);
    }
    // Signs of ASCII are no letters of any script, and all look different.
    let is_sign = |c: &char| c.is_ascii() && !c.is_ascii_alphanumeric();
    let letters: String = name.chars().filter(|c| !is_sign(c)).collect();
    if is_nfc(name) && letters.check_restriction_level(RestrictionLevel::ModeratelyRestrictive) {
        Ok(())
    } else {
        Err(InvalidName::Confusable)
    }
}

/// Whether a text is an id, or its first characters. Words have letters only, nine of ten beginnings of ids a digit;
/// for the tenth it helps that a text which is one peer's name and the beginning of another's id is ambiguous.
fn reads_as_id(folded: &str) -> bool {
    let is_long = folded.chars().count() >= ID_PREFIX_CHARACTERS_MIN;
    let has_digit = folded.contains(|c: char| c.is_ascii_digit());
    is_long && has_digit && ids_with_prefix(folded).is_some() || folded.parse::<NodeId>().is_ok()
}

/// Lower-cases character by character: unlike a whole text's lower case, the fold of a prefix is then always
/// a prefix of the fold.
#[must_use]
pub fn fold_name(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}

/// What a text looks like: two texts with one skeleton can be taken for each other (UTS #39 §4, after folding).
#[must_use]
pub fn skeleton(text: &str) -> String {
    let folded = fold_name(text);
    let shapes: String = unicode_security::skeleton(&folded).collect();
    // Some shapes are capital letters.
    fold_name(&shapes)
}

/// Characters that make two different names look the same: zero-width, bidirectional controls, byte-order mark,
/// fillers, selectors of variants, tags.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
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

    /// Protocol §2.3.
    #[test]
    fn names_are_what_people_call_each_other() {
        let longest = "x-".repeat(32);
        for good in [
            "a",
            "Ada.Lovelace",
            "Zoë",
            "日本",
            "アリスAlice",
            "Петър",
            "Ελένη",
            "quote\"back\\slash",
            "ops+2024",
            "node_7",
            "introducer",
            "benjamin",
            &longest,
        ] {
            assert_eq!(validate_name(good), Ok(()), "{good}");
        }
        let long = "x".repeat(65);
        for bad in ["", &long] {
            assert_eq!(validate_name(bad), Err(InvalidName::Length), "{bad}");
        }
        for bad in ["a b", "a@b", "a/b", "a\n", "\u{a0}x", "a\u{7f}"] {
            let refused = validate_name(bad);
            assert!(matches!(refused, Err(InvalidName::Character(_))), "{bad:?}");
        }
    }

    /// Protocol §2.3.
    #[test]
    fn sec_06_a_name_passes_for_no_other_and_for_no_id() {
        for bad in [
            "bob\u{200b}by",
            "ada\u{202e}",
            "a\u{fe0f}",
            "a\u{e0061}",
            "\u{3164}",
        ] {
            let refused = validate_name(bad);
            assert!(matches!(refused, Err(InvalidName::Character(_))), "{bad:?}");
        }
        // Cyrillic o and a in Latin words, full width, letters of mathematics, an accent apart from its letter.
        for bad in [
            "b\u{43e}b",
            "\u{430}da",
            "ａｄａ",
            "𝐚𝐝𝐚",
            "zoe\u{308}",
            "αda",
        ] {
            assert_eq!(validate_name(bad), Err(InvalidName::Confusable), "{bad}");
        }
        let ids = (0..=u8::MAX).map(|n| NodeId::from_bytes([n; 32]).to_string());
        let has_digit = |id: &String| id[..7].contains(|c: char| c.is_ascii_digit());
        let id = ids.into_iter().find(has_digit).expect("most have one");
        for length in [8, 20, 51, 52] {
            let bad = &id[..length];
            assert_eq!(validate_name(bad), Err(InvalidName::ReadsAsId), "{bad}");
            let bad = bad.to_uppercase();
            assert_eq!(validate_name(&bad), Err(InvalidName::ReadsAsId), "{bad}");
        }
        assert_eq!(validate_name(&id[..7]), Ok(()));
        assert_eq!(validate_name(&format!("{}-", &id[..8])), Ok(()));
    }

    #[test]
    fn what_looks_alike_has_one_skeleton() {
        assert_eq!(skeleton("Bob"), skeleton("b\u{43e}b"));
        assert_eq!(skeleton("paypal"), skeleton("paypa1"));
        assert_ne!(skeleton("ada"), skeleton("eda"));
    }
}
