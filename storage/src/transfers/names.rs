//! Which names a peer may give to files: paths that mean the same on every system and stay beneath the folder that the
//! receiver chose. Everything else is refused before anything is written.

use core::fmt;

use unicode_normalization::is_nfc;

/// Longest name of a file or folder, bytes.
const COMPONENT_BYTES: usize = 255;
/// Longest path, bytes.
pub(super) const PATH_BYTES: usize = 4_096;
/// Most folders above a file, itself counted.
const DEPTH: usize = 32;

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hostile {
    /// It leads out of the folder: absolute, a drive, `..`, or another system's separator.
    Leads,
    /// It has control characters, or such as change the direction of what is shown.
    Controls,
    /// It is too long or too deep, or a part of it is empty.
    Shape,
    /// It is spelled in a way that some systems change.
    Spelling,
    /// Two entries have one name, or a file is a folder of another; or the list is not in order.
    Clash,
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leads => "leads out of the folder",
            Self::Controls => "has control characters",
            Self::Shape => "is too long, too deep, or has an empty part",
            Self::Spelling => "is not in Unicode's normal form C",
            Self::Clash => "is there twice, or is a folder of another",
        })
    }
}

/// Looks at one relative path with `/` between its parts.
///
/// # Errors
/// Why it is refused.
pub fn check_name(path: &str) -> Result<(), Hostile> {
    if path.is_empty() || path.len() > PATH_BYTES || path.split('/').count() > DEPTH {
        return Err(Hostile::Shape);
    }
    if path.starts_with('/') || path.contains('\\') {
        return Err(Hostile::Leads);
    }
    if path.chars().any(|c| c.is_control() || turns(c)) {
        return Err(Hostile::Controls);
    }
    if !is_nfc(path) {
        return Err(Hostile::Spelling);
    }
    let mut bytes = path.bytes();
    if bytes.next().is_some_and(|b| b.is_ascii_alphabetic()) && bytes.next() == Some(b':') {
        return Err(Hostile::Leads);
    }
    for part in path.split('/') {
        if part.is_empty() || part.len() > COMPONENT_BYTES {
            return Err(Hostile::Shape);
        }
        if part == "." || part == ".." {
            return Err(Hostile::Leads);
        }
    }
    // Where the receiver keeps what has not come whole.
    if path.split('/').next() == Some(super::PART_FOLDER) {
        return Err(Hostile::Leads);
    }
    Ok(())
}

/// Characters that change the direction of what follows, so that a name is not what it looks like; and ends of lines.
const fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_pass() {
        for name in [
            "a",
            "photos/Zoë.jpg",
            "a b/.hidden",
            "...",
            "C",
            "1:2",
            "日本/語.txt",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn each_way_out_is_closed() {
        let long = "x".repeat(256);
        let deep = ["d"; 33].join("/");
        for (name, why) in [
            ("", Hostile::Shape),
            ("/etc/passwd", Hostile::Leads),
            ("../x", Hostile::Leads),
            ("a/../../x", Hostile::Leads),
            ("a/./b", Hostile::Leads),
            ("a\\b", Hostile::Leads),
            ("C:", Hostile::Leads),
            ("c:x", Hostile::Leads),
            (".p2p-part/x", Hostile::Leads),
            ("a//b", Hostile::Shape),
            ("a/", Hostile::Shape),
            (long.as_str(), Hostile::Shape),
            (deep.as_str(), Hostile::Shape),
            ("a\0b", Hostile::Controls),
            ("a\nb", Hostile::Controls),
            ("\u{202e}gpj.exe", Hostile::Controls),
            ("e\u{301}", Hostile::Spelling),
        ] {
            assert_eq!(check_name(name), Err(why), "{name:?}");
        }
    }
}
