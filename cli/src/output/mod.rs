//! Everything that reaches the terminal passes here: lines, tables, JSON, failures. Results go to standard output,
//! remarks to standard error; colour only where a person looks and did not switch it off (NO_COLOR).

mod escape;
mod progress;
mod table;

use std::io::IsTerminal as _;

use serde_json::Value;

pub(crate) use escape::{escape, escape_json, escape_lines};
pub(crate) use progress::Progress;
pub(crate) use table::Table;

use crate::failure::Failure;

/// How a command speaks.
pub(crate) struct Output {
    /// One JSON object, or one for each line, instead of text.
    pub json: bool,
    /// Results only, no remarks.
    pub quiet: bool,
    colour: bool,
    colour_on_stderr: bool,
}

/// What a piece of text means; colour never carries it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Works, but could be better.
    Fair,
    /// Does not work.
    Bad,
    /// Not so important.
    Faint,
    /// A headline.
    Strong,
}

impl Output {
    /// Looks at the environment and the terminal once.
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|t| t == "dumb");
        let wanted = |tty: bool| (set("CLICOLOR_FORCE") || tty && !dumb) && !set("NO_COLOR");
        Self {
            json,
            quiet,
            colour: wanted(std::io::stdout().is_terminal()),
            colour_on_stderr: wanted(std::io::stderr().is_terminal()),
        }
    }

    /// Prints a line of the result; the caller has escaped what others wrote.
    pub(crate) fn line(&self, text: impl AsRef<str>) {
        put(&mut std::io::stdout().lock(), text.as_ref());
    }

    /// Prints a JSON value on one line.
    pub(crate) fn value(&self, value: &Value) {
        self.line(escape_json(&value.to_string()));
    }

    /// Prints a remark to standard error, unless it is to be quiet.
    pub(crate) fn remark(&self, text: impl AsRef<str>) {
        if !self.quiet {
            put(&mut std::io::stderr().lock(), text.as_ref());
        }
    }

    /// Prints why a command failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        let text = if self.json {
            escape_json(&failure.to_json().to_string())
        } else if self.colour_on_stderr {
            failure
                .to_string()
                .replacen("error:", "\u{1b}[1;31merror:\u{1b}[0m", 1)
        } else {
            failure.to_string()
        };
        put(&mut std::io::stderr().lock(), &text);
    }

    /// Colours a piece of text, where there is colour.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Fair => "33",
            Tone::Bad => "31",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// A size as people read it, in powers of ten.
pub(crate) fn bytes_text(bytes: u64) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if size < 1_000.0 {
            let digits = usize::from(unit != "B" && size < 100.0);
            return format!("{size:.digits$} {unit}");
        }
        size /= 1_000.0;
    }
    format!("{size:.1} TB")
}

/// Writes a line; a reader that went away (`p2p tail | head`) ends the program quietly.
fn put(to: &mut impl std::io::Write, text: &str) {
    if writeln!(to, "{text}").and_then(|()| to.flush()).is_err() {
        std::process::exit(i32::from(crate::exit::OK));
    }
}
