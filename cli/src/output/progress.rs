//! How far a transfer is: a bar on a terminal, else a line from time to time on standard error.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Output, bytes_text};

/// Time between two lines where nobody looks at a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How often the bar's clock moves by itself.
const TICK: Duration = Duration::from_millis(200);

/// How far something is.
pub(crate) struct Progress<'a> {
    output: &'a Output,
    bar: Option<ProgressBar>,
    line_at: Instant,
    stage: String,
}

impl<'a> Progress<'a> {
    /// Nothing to show yet.
    pub(crate) fn new(output: &'a Output) -> Self {
        let is_shown = !output.json && !output.quiet && std::io::stderr().is_terminal();
        let style = ProgressStyle::with_template(
            "{prefix:9} {msg:28!} {bar:20} {percent:>3}% {bytes:>10}/{total_bytes} {bytes_per_sec} {eta}",
        );
        let bar = is_shown.then(|| {
            let bar = ProgressBar::new(0);
            // The template is fixed: it is read by a test.
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(TICK);
            bar
        });
        Self {
            output,
            bar,
            line_at: Instant::now() + LINE_EVERY,
            stage: String::new(),
        }
    }

    /// It is at a stage, and so far; the label is escaped.
    pub(crate) fn at(&mut self, stage: &str, label: &str, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            if self.stage != stage {
                // Rate and remaining time are those of the stage.
                bar.reset();
            }
            bar.set_prefix(stage.to_owned());
            bar.set_message(label.to_owned());
            bar.set_length(total);
            bar.set_position(done);
        } else if self.stage != stage || Instant::now() >= self.line_at {
            self.line_at = Instant::now() + LINE_EVERY;
            if !self.output.json {
                let (done, total) = (bytes_text(done), bytes_text(total));
                self.output
                    .remark(format!("{stage}: {label} {done} of {total}"));
            }
        }
        if self.stage != stage {
            stage.clone_into(&mut self.stage);
        }
    }

    /// It is over.
    pub(crate) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
