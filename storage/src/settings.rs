//! Settings from `config.toml`. Unknown keys are refused with the nearest known one; what takes precedence
//! (command line, environment, file, default) is the caller's to decide.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use p2p_core::api::{ControllerKind, IntroducerAddress, Roles};
use serde::Deserialize;

use crate::error::{StateError, StateErrorKind};

const KEYS: &[&str] = &[
    "name",
    "listen",
    "http",
    "introducers",
    "roles",
    "listed",
    "accept_strangers",
    "network",
    "direct_paths",
    "congestion",
];

/// What the file says; `None` where it is silent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Name to register at introducers.
    pub name: Option<String>,
    /// UDP address and port.
    pub listen: Option<SocketAddr>,
    /// HTTP address and port.
    pub http: Option<SocketAddr>,
    /// Introducers to register with.
    pub introducers: Option<Vec<IntroducerAddress>>,
    /// What the node does for others.
    pub roles: Option<Roles>,
    /// Whether searches may list the name.
    pub listed: Option<bool>,
    /// Whether peers not connected to before may connect.
    pub accept_strangers: Option<bool>,
    /// Keeps networks that must not meet apart.
    pub network: Option<String>,
    /// Whether direct paths are tried at all.
    pub direct_paths: Option<bool>,
    /// Congestion control of every path.
    pub congestion: Option<ControllerKind>,
}

#[derive(Deserialize)]
struct SettingsFile {
    name: Option<String>,
    listen: Option<SocketAddr>,
    http: Option<SocketAddr>,
    introducers: Option<Vec<String>>,
    roles: Option<Vec<String>>,
    listed: Option<bool>,
    accept_strangers: Option<bool>,
    network: Option<String>,
    direct_paths: Option<bool>,
    congestion: Option<String>,
}

impl Settings {
    /// Where the file lies unless told otherwise: `$XDG_CONFIG_HOME/p2p/config.toml`; `None` without a home.
    #[must_use]
    pub fn default_path() -> Option<PathBuf> {
        let base = etcetera::choose_base_strategy().ok()?;
        Some(base.config_dir().join("p2p").join("config.toml"))
    }

    /// Reads a file; a missing one says nothing.
    ///
    /// # Errors
    /// For an unknown key, an impossible value, or a file that cannot be read.
    pub fn read(path: &Path) -> Result<Self, StateError> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|(why, fix)| {
                let what = format!("cannot use the settings in {}", path.display());
                StateError::new(StateErrorKind::Setting, what, why, fix)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(StateError::system("read", path, &error)),
        }
    }

    fn parse(text: &str) -> Result<Self, (String, String)> {
        let mend = || "correct the line".to_owned();
        let table: toml::Table = text.parse().map_err(|e| flat(&e, mend()))?;
        let unknown = |key: &&String| !KEYS.contains(&key.as_str());
        if let Some(key) = table.keys().find(unknown) {
            let fix = nearest(key, KEYS).map_or_else(
                || format!("known are: {}", KEYS.join(", ")),
                |known| format!("did you mean \"{known}\"?"),
            );
            return Err((format!("the setting \"{key}\" is unknown"), fix));
        }
        let file: SettingsFile = toml::from_str(text).map_err(|e| flat(&e, mend()))?;
        let introducers = file.introducers.map(|texts| {
            let parse = |text: &String| {
                text.parse()
                    .map_err(|e| (format!("introducers: \"{text}\": {e}"), mend()))
            };
            texts.iter().map(parse).collect::<Result<_, _>>()
        });
        let roles = file.roles.map(|names| {
            parse_roles(names.iter().map(String::as_str)).map_err(|why| (why, mend()))
        });
        let congestion = file.congestion.map(|name| {
            name.parse()
                .map_err(|e| (format!("congestion: \"{name}\": {e}"), mend()))
        });
        Ok(Self {
            name: file.name,
            listen: file.listen,
            http: file.http,
            introducers: introducers.transpose()?,
            roles: roles.transpose()?,
            listed: file.listed,
            accept_strangers: file.accept_strangers,
            network: file.network,
            direct_paths: file.direct_paths,
            congestion: congestion.transpose()?,
        })
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

/// Reads role names: `introducer`, `relay`, `stun`.
///
/// # Errors
/// A clause that names the unknown role.
pub fn parse_roles<'a>(names: impl Iterator<Item = &'a str>) -> Result<Roles, String> {
    let mut roles = Roles::default();
    for name in names.map(str::trim).filter(|n| !n.is_empty()) {
        match name {
            "introducer" => roles.introducer = true,
            "relay" => roles.relay = true,
            "stun" => roles.stun = true,
            _ => return Err(format!("\"{name}\" is no role: introducer, relay or stun")),
        }
    }
    Ok(roles)
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

    #[test]
    fn a_full_file_is_read() {
        let id = NodeIdText::get();
        let text = format!(
            "name = \"ada\"\nlisten = \"0.0.0.0:6660\"\nhttp = \"127.0.0.1:8080\"\n\
             introducers = [\"p2p://{id}@example.org:6660\"]\nroles = [\"relay\"]\nlisted = false\n\
             congestion = \"newreno\"\n"
        );
        let settings = Settings::parse(&text).expect("valid");
        assert_eq!(settings.name.as_deref(), Some("ada"));
        assert_eq!(settings.introducers.map(|i| i.len()), Some(1));
        assert!(settings.roles.is_some_and(|r| r.relay && !r.stun));
        assert_eq!(settings.direct_paths, None);
        assert_eq!(settings.congestion, Some(ControllerKind::NewReno));
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest() {
        let (why, fix) = Settings::parse("introducer = []").expect_err("unknown");
        assert!(why.contains("\"introducer\""), "{why}");
        assert_eq!(fix, "did you mean \"introducers\"?");
        let (_, fix) = Settings::parse("zzzzzzzz = 1").expect_err("unknown");
        assert!(fix.starts_with("known are"), "{fix}");
    }

    #[test]
    fn impossible_values_are_refused() {
        for text in [
            "listen = 5",
            "roles = [\"king\"]",
            "congestion = \"haste\"",
            "introducers = [\"x\"]",
            "name = ",
        ] {
            assert!(Settings::parse(text).is_err(), "{text}");
        }
    }

    struct NodeIdText;

    impl NodeIdText {
        fn get() -> String {
            p2p_core::id::NodeId::from_bytes([9; 32]).to_string()
        }
    }
}
