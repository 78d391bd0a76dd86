//! From what was written to [`NodeOptions`]: first the command line, then the environment, then the configuration
//! file, then the default.

mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use p2p_http_api::SettingValue;
use p2p_storage::SettingsFile;

use crate::options::NodeOptions;

pub use table::{Kind, SETTINGS, Setting};

/// Why a setting cannot be used; nothing was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// What cannot be used.
    pub what: String,
    /// Why not.
    pub why: String,
    /// What to do about it.
    pub fix: String,
}

/// Values from the command line, by the key of their setting.
#[derive(Clone, Debug, Default)]
pub struct Given(BTreeMap<&'static str, Vec<String>>);

impl Given {
    /// Takes one value; a switch needs none.
    pub fn push(&mut self, setting: &'static Setting, value: Option<String>) {
        let value = value.unwrap_or_else(|| "false".to_owned());
        self.0.entry(setting.key).or_default().push(value);
    }
}

/// The setting with this option on the command line.
#[must_use]
pub fn by_option(option: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.option == option)
}

/// Puts command line, environment and the user's configuration file together.
///
/// # Errors
/// For a value that cannot be, with the place where it stands.
pub fn read_options(given: &Given) -> Result<NodeOptions, SettingError> {
    let known: Vec<_> = SETTINGS.iter().map(|s| s.key).collect();
    let path = SettingsFile::default_path();
    let file = path.as_ref().map(|path| SettingsFile::read(path, &known));
    let file = file.transpose().map_err(|e| SettingError {
        what: e.what,
        why: e.why,
        fix: e.fix,
    })?;
    let place = path.map_or_else(String::new, |path| format!(" in {}", path.display()));
    let variable = |name: &str| std::env::var(name).ok();
    merge(given, variable, &file.unwrap_or_default(), &place)
}

fn merge(
    given: &Given,
    variable: impl Fn(&str) -> Option<String>,
    file: &SettingsFile,
    place: &str,
) -> Result<NodeOptions, SettingError> {
    let mut options = NodeOptions::default();
    for setting in SETTINGS {
        let Setting {
            key, option, kind, ..
        } = setting;
        let (values, from) = if let Some(values) = given.0.get(key) {
            (values.clone(), format!("--{option}"))
        } else if let Some(text) = variable(setting.variable) {
            (vec![text], setting.variable.to_owned())
        } else if let Some(values) = file.get(key) {
            (values.to_vec(), format!("{key}{place}"))
        } else {
            continue;
        };
        let values = match kind {
            Kind::Many(_) => values
                .iter()
                .flat_map(|v| v.split(','))
                .map(trimmed)
                .collect(),
            _ => values,
        };
        (setting.set)(&mut options, &values).map_err(|why| SettingError {
            what: format!("cannot use {from}"),
            why,
            fix: format!("{}: {}", setting.what, usage(setting)),
        })?;
    }
    Ok(options)
}

fn trimmed(text: &str) -> String {
    text.trim().to_owned()
}

fn usage(setting: &Setting) -> String {
    let Setting { option, key, .. } = setting;
    match setting.kind {
        Kind::One(value) | Kind::Many(value) => format!("write --{option} {value}"),
        Kind::Switch => format!("write --{option}, or {key} = true or false in the file"),
    }
}

/// The options of a node for a help text: one line for each setting.
#[must_use]
pub fn help() -> String {
    let mut text = String::new();
    for setting in SETTINGS {
        let option = match setting.kind {
            Kind::One(value) | Kind::Many(value) => format!("--{} {value}", setting.option),
            Kind::Switch => format!("--{}", setting.option),
        };
        let what = help_line(setting);
        let _ = writeln!(text, "  {option}\n                       {what}");
    }
    text
}

/// What a setting is for, with its default and its environment variable.
#[must_use]
pub fn help_line(setting: &Setting) -> String {
    let Setting {
        what,
        default,
        variable,
        ..
    } = setting;
    match setting.kind {
        Kind::Switch => format!("{what}: not [env: {variable}=false]"),
        Kind::One(_) => format!("{what} [default: {default}] [env: {variable}]"),
        Kind::Many(_) => {
            format!("{what}; may be repeated [default: {default}] [env: {variable}]")
        }
    }
}

/// All settings as a table of docs/cli.md.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from("| Option | Environment | File | Default | What |\n");
    text.push_str("|---|---|---|---|---|\n");
    for s in SETTINGS {
        let option = match s.kind {
            Kind::One(value) => format!("`--{} {value}`", s.option),
            Kind::Many(value) => format!("`--{} {value}`, may be repeated", s.option),
            Kind::Switch => format!("`--{}`", s.option),
        };
        let (variable, key, default, what) = (s.variable, s.key, s.default, s.what);
        let _ = writeln!(
            text,
            "| {option} | `{variable}` | `{key}` | {default} | {what} |"
        );
    }
    text
}

/// What stands, by key; a setting without a value is left out.
#[must_use]
pub fn shown(options: &NodeOptions) -> BTreeMap<&'static str, SettingValue> {
    let value = |s: &Setting| Some((s.key, (s.get)(options)?));
    SETTINGS.iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> SettingsFile {
        let known: Vec<_> = SETTINGS.iter().map(|s| s.key).collect();
        SettingsFile::parse(text, &known).expect("a good file")
    }

    #[test]
    fn the_command_line_goes_before_the_environment_and_that_before_the_file() {
        let file =
            file("name = \"file\"\nnetwork = \"file\"\nlisted = false\nrelay_bytes_per_s = 4096");
        let variable = |name: &str| match name {
            "P2P_NAME" | "P2P_NETWORK" => Some("environment".to_owned()),
            _ => None,
        };
        let mut given = Given::default();
        given.push(by_option("name").expect("one"), Some("line".to_owned()));
        given.push(by_option("no-direct").expect("one"), None);
        let options = merge(&given, variable, &file, "").expect("good values");
        assert_eq!(options.name.as_deref(), Some("line"));
        assert_eq!(options.network.as_deref(), Some("environment"));
        assert!(!options.listed && !options.direct_paths && options.strangers.are_admitted());
        assert_eq!(options.operator.relay_bytes_per_s, 4_096);
    }

    #[test]
    fn lists_come_repeated_or_with_commas() {
        let mut given = Given::default();
        let role = by_option("role").expect("one");
        given.push(role, Some("relay, stun".to_owned()));
        given.push(role, Some("introducer".to_owned()));
        let options = merge(&given, |_| None, &SettingsFile::default(), "").expect("good");
        assert_eq!(options.roles, p2p_core::api::Roles::ALL);
    }

    #[test]
    fn a_wrong_value_says_what_why_and_the_fix() {
        let variable = |name: &str| (name == "P2P_RELAY_BYTES_PER_S").then(|| "fast".to_owned());
        let refused = merge(&Given::default(), variable, &SettingsFile::default(), "");
        let error = refused.expect_err("no number");
        assert_eq!(error.what, "cannot use P2P_RELAY_BYTES_PER_S");
        assert!(
            error.why.contains("\"fast\" is not a number from 1024 to"),
            "{}",
            error.why
        );
        assert!(error.fix.contains("--relay-rate BYTES"), "{}", error.fix);
        for (option, value) in [
            ("listen", "here"),
            ("introducer", "https://example.org"),
            ("role", "king"),
            ("receive-budget", "999999999999"),
        ] {
            let mut given = Given::default();
            given.push(by_option(option).expect("one"), Some(value.to_owned()));
            let refused = merge(&given, |_| None, &SettingsFile::default(), "");
            let error = refused.expect_err("impossible");
            assert!(error.why.contains(&format!("\"{value}\"")), "{error:?}");
        }
    }

    #[test]
    fn the_documentation_has_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");
        let text = std::fs::read_to_string(path).expect("docs/cli.md");
        let part = text.split("<!-- settings -->\n").nth(1).expect("a mark");
        let part = part.split("<!-- end of settings -->").next().unwrap_or("");
        assert_eq!(
            part,
            markdown(),
            "replace the table in docs/cli.md by this one"
        );
    }
}
