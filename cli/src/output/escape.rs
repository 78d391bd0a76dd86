//! Keeps what peers wrote from steering the terminal: control characters (colours, titles, cursor), characters that
//! turn or hide text (bidirectional overrides, zero-width), and line breaks that are not the program's own become
//! visible escapes. The same holds inside JSON, where an escape is `\uXXXX`.

use std::fmt::Write as _;

/// Whether a character may reach a terminal as it is.
fn harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text on one line, harmless to a terminal.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if harmless(c) {
            safe.push(c);
        } else {
            safe.extend(c.escape_unicode());
        }
    }
    safe
}

/// Text of several lines, harmless to a terminal: line feeds and tabs stay.
pub(crate) fn escape_lines(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if harmless(c) || c == '\n' || c == '\t' {
            safe.push(c);
        } else {
            safe.extend(c.escape_unicode());
        }
    }
    safe
}

/// JSON text with the same characters escaped; they can only stand in strings, so that the value stays the same.
pub(crate) fn escape_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if harmless(c) || c == '\n' {
            safe.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &[&str] = &[
        "\u{1b}]0;owned\u{7}",
        "\u{9b}31m",
        "bob\u{202e}exe.",
        "a\nb\rc",
        "ad\u{200b}a",
        "\u{e0041}",
        "\u{2066}x\u{2069}\u{7f}",
    ];

    #[test]
    fn hostile_names_become_visible() {
        for name in HOSTILE {
            for safe in [escape(name), escape_lines(&name.replace('\n', ""))] {
                assert!(safe.chars().all(harmless), "{safe}");
                assert!(safe.contains("\\u{"), "{safe}");
            }
        }
        assert_eq!(escape("a\u{1b}b"), "a\\u{1b}b");
        assert_eq!(escape("Zoë 🦀 名前"), "Zoë 🦀 名前");
        assert_eq!(escape_lines("a\n\tb\r"), "a\n\tb\\u{d}");
    }

    #[test]
    fn json_keeps_its_value() {
        for name in HOSTILE {
            let json = serde_json::json!({ "name": name });
            let safe = escape_json(&json.to_string());
            assert!(safe.chars().all(harmless), "{safe}");
            let back: serde_json::Value = serde_json::from_str(&safe).expect("still JSON");
            assert_eq!(back, json);
        }
    }
}
