//! Settings from `config.toml`, as texts by key. Unknown keys are refused with the nearest known one; what the values
//! mean, and what takes precedence (command line, environment, file, default), is the caller's to decide.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::error::{StateError, StateErrorKind};

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsFile {
    values: BTreeMap<String, Vec<String>>,
}

impl SettingsFile {
    /// Where the file lies unless told otherwise: `$XDG_CONFIG_HOME/p2p/config.toml`; `None` without a home.
    #[must_use]
    pub fn default_path() -> Option<PathBuf> {
        let base = etcetera::choose_base_strategy().ok()?;
        Some(base.config_dir().join("p2p").join("config.toml"))
    }

    /// Reads a file with `known` keys; a missing one says nothing.
    ///
    /// # Errors
    /// For an unknown key, a table, or a file that cannot be read.
    pub fn read(path: &Path, known: &[&str]) -> Result<Self, StateError> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, known).map_err(|(why, fix)| {
                let what = format!("cannot use the settings in {}", path.display());
                StateError::new(StateErrorKind::Setting, what, why, fix)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(StateError::system("read", path, &error)),
        }
    }

    /// Reads the content of a file.
    ///
    /// # Errors
    /// Why it cannot be used, and what to do about it.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, (String, String)> {
        let mend = || "correct the line".to_owned();
        let table: toml::Table = text.parse().map_err(|e| flat(&e, mend()))?;
        let mut values = BTreeMap::new();
        for (key, value) in table {
            if !known.contains(&key.as_str()) {
                let fix = nearest(&key, known).map_or_else(
                    || format!("known are: {}", known.join(", ")),
                    |known| format!("did you mean \"{known}\"?"),
                );
                return Err((format!("the setting \"{key}\" is unknown"), fix));
            }
            let texts = match value {
                toml::Value::Array(items) => items.into_iter().map(plain).collect(),
                single => plain(single).map(|text| vec![text]),
            };
            let texts = texts.ok_or_else(|| (format!("\"{key}\" has no plain value"), mend()))?;
            values.insert(key, texts);
        }
        Ok(Self { values })
    }

    /// The values of a key; `None` where the file is silent.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.values.get(key).map(Vec::as_slice)
    }
}

fn plain(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(on) => Some(on.to_string()),
        _ => None,
    }
}

fn flat(error: &toml::de::Error, fix: String) -> (String, String) {
    let text = error.to_string();
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    (lines.join(" "), fix)
}

/// The known word nearest to `word`, where it is near enough to be meant.
fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|k| (distance(word, k), *k)).min()?;
    (near.0 <= near.1.len().div_ceil(3)).then_some(near.1)
}

/// Letters to insert, remove or exchange between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let exchange = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = exchange.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["name", "introducers", "listed"];

    #[test]
    fn a_file_is_read_as_texts() {
        let text = "name = \"ada\"\nintroducers = [\"a\", \"b\"]\nlisted = false\n";
        let file = SettingsFile::parse(text, KNOWN).expect("valid");
        assert_eq!(file.get("name"), Some(&["ada".to_owned()][..]));
        assert_eq!(file.get("introducers").map(<[_]>::len), Some(2));
        assert_eq!(file.get("listed"), Some(&["false".to_owned()][..]));
        assert_eq!(file.get("other"), None);
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest() {
        let (why, fix) = SettingsFile::parse("introducer = []", KNOWN).expect_err("unknown");
        assert!(why.contains("\"introducer\""), "{why}");
        assert_eq!(fix, "did you mean \"introducers\"?");
        let (_, fix) = SettingsFile::parse("zzzzzzzz = 1", KNOWN).expect_err("unknown");
        assert!(fix.starts_with("known are"), "{fix}");
    }

    #[test]
    fn impossible_values_are_refused() {
        for text in ["name = ", "name = { a = 1 }", "name = [[1]]", "[name]"] {
            assert!(SettingsFile::parse(text, KNOWN).is_err(), "{text}");
        }
    }
}
