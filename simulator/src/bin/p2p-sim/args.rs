//! The command line as a value: a command, perhaps a word, and options with numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use p2p_simulator::ops::Faults;

use crate::watch::Seeds;

/// What to print for `--help` and after a wrong command line.
pub(crate) const USAGE: &str = "\
Usage: p2p-sim <command> [options]

run             Plays one random plot and prints its trace hash.
                --seed N (1)  --nodes N (10)  --seconds N (30)
                --faults none|links|mixed (mixed)  --print: the plot as well
                Ends with the seed where an engine does not come back from a
                call for a minute; so do campaigns.
campaign mixed  Plays many random plots; ends at the first broken promise and
                prints it, shortened. Fails as well where a kind of fault never
                happened in 100 worlds or more.
                --seeds N (1000)  --first N (1), and the options of run
                --jobs N (1): worlds at once
                --keep-going: play on, and list the seeds that broke a promise
campaign lossy  A 10 MiB stream and a 1 MiB message at 20 % loss, with
                reordering and duplication.
                --seeds N (200)  --first N (1)  --jobs N (1)  --keep-going
nat-matrix      Every pair of address translators: direct or relayed, held
                against the oracle.
                --seed N (1)  --all: every behaviour with every other
garbage         Random datagrams into a live node.
                --count N (1000000)  --seed N (1)
crowd           Registers many nodes with one introducer, connects pairs, says
                nothing, and tells what that cost.
                --nodes N (1000)  --pairs N (half the nodes)
                --seconds N (60)  --seed N (1)
goodput         Goodput of every level at several rates of loss.
congestion      What each congestion controller makes of a line, alone and
                beside another.
replay FILE     Runs again what a node recorded (p2p up --record FILE) and
                compares the output with what was recorded.
";

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print the usage.
    Help,
    /// One plot.
    Run { seed: u64, plot: Plot, print: bool },
    /// Many plots.
    Mixed { seeds: Seeds, plot: Plot },
    /// Many bad links.
    Lossy { seeds: Seeds },
    /// All pairs of boxes.
    NatMatrix { seed: u64, all: bool },
    /// A flood.
    Garbage { seed: u64, count: u64 },
    /// Many nodes at rest.
    Crowd {
        seed: u64,
        nodes: usize,
        pairs: usize,
        seconds: u64,
    },
    /// The table of every level.
    Goodput,
    /// The table of the congestion controllers.
    Congestion,
    /// A recording.
    Replay { file: PathBuf },
}

/// What a plot is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plot {
    /// Nodes in the world.
    pub nodes: usize,
    /// Virtual seconds.
    pub seconds: u64,
    /// What may break.
    pub faults: Faults,
}

struct Options(BTreeMap<String, String>);

impl Options {
    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    fn number(&mut self, name: &str, default: u64, most: u64) -> Result<u64, String> {
        let Some(text) = self.take(name) else {
            return Ok(default);
        };
        let number = text.parse().ok().filter(|n| *n <= most);
        number.ok_or(format!("--{name} {text}: expected a number up to {most}"))
    }

    fn seeds(&mut self, default: u64) -> Result<Seeds, String> {
        let jobs = self.number("jobs", 1, 1_024)?;
        if jobs == 0 {
            return Err("--jobs 0: expected at least 1".to_owned());
        }
        Ok(Seeds {
            first: self.number("first", 1, u64::MAX / 2)?,
            count: self.number("seeds", default, u64::MAX / 2)?,
            jobs: jobs as usize,
            keep_going: self.take("keep-going").is_some(),
        })
    }

    fn plot(&mut self) -> Result<Plot, String> {
        let nodes = self.number("nodes", 10, 200)?;
        if nodes < 3 {
            return Err(format!("--nodes {nodes}: a plot needs at least 3"));
        }
        let faults = match self.take("faults").as_deref() {
            None | Some("mixed") => Faults::Mixed,
            Some("links") => Faults::Links,
            Some("none") => Faults::None,
            Some(other) => return Err(format!("--faults {other}: expected none, links or mixed")),
        };
        Ok(Plot {
            nodes: nodes as usize,
            seconds: self.number("seconds", 30, 86_400)?,
            faults,
        })
    }
}

/// Reads a command line without the program's name.
///
/// # Errors
/// What is wrong with it, as a sentence for people.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut words = Vec::new();
    let mut options = BTreeMap::new();
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        match argument.strip_prefix("--") {
            Some(name @ ("help" | "print" | "all" | "keep-going")) => {
                options.insert(name.to_owned(), String::new());
            }
            Some(name) => {
                let (name, value) = match name.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (name, arguments.next()),
                };
                let value = value.ok_or(format!("--{name} needs a value"))?;
                if options.insert(name.to_owned(), value).is_some() {
                    return Err(format!("--{name} is given twice"));
                }
            }
            None => words.push(argument),
        }
    }
    let mut options = Options(options);
    if options.take("help").is_some() {
        return Ok(Command::Help);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let command = match words.as_slice() {
        [] | ["help"] => Command::Help,
        ["run"] => Command::Run {
            seed: options.number("seed", 1, u64::MAX)?,
            plot: options.plot()?,
            print: options.take("print").is_some(),
        },
        ["campaign", "mixed"] => Command::Mixed {
            seeds: options.seeds(1_000)?,
            plot: options.plot()?,
        },
        ["campaign", "lossy"] => Command::Lossy {
            seeds: options.seeds(200)?,
        },
        ["campaign"] => return Err("campaign needs a kind: mixed or lossy".to_owned()),
        ["nat-matrix"] => Command::NatMatrix {
            seed: options.number("seed", 1, u64::MAX)?,
            all: options.take("all").is_some(),
        },
        ["garbage"] => Command::Garbage {
            seed: options.number("seed", 1, u64::MAX)?,
            count: options.number("count", 1_000_000, 1_000_000_000)?,
        },
        ["crowd"] => {
            let nodes = options.number("nodes", 1_000, 20_000)?;
            Command::Crowd {
                seed: options.number("seed", 1, u64::MAX)?,
                nodes: nodes as usize,
                pairs: options.number("pairs", nodes / 2, nodes / 2)? as usize,
                seconds: options.number("seconds", 60, 864_000)?,
            }
        }
        ["goodput"] => Command::Goodput,
        ["congestion"] => Command::Congestion,
        ["replay", file] => Command::Replay { file: file.into() },
        other => return Err(format!("there is no command {:?}", other.join(" "))),
    };
    match options.0.keys().next() {
        Some(name) => Err(format!("{} has no option --{name}", words.join(" "))),
        None => Ok(command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_have_defaults_and_two_spellings() {
        let plot = Plot {
            nodes: 10,
            seconds: 30,
            faults: Faults::Mixed,
        };
        let run = |seed| Command::Run {
            seed,
            plot,
            print: false,
        };
        assert_eq!(parsed("run"), Ok(run(1)));
        assert_eq!(parsed("run --seed 7"), Ok(run(7)));
        assert_eq!(parsed("run --seed=7"), Ok(run(7)));
        assert_eq!(parsed("run --help"), Ok(Command::Help));
        let file = "ada.recording".into();
        assert_eq!(parsed("replay ada.recording"), Ok(Command::Replay { file }));
    }

    #[test]
    fn campaigns_run_as_many_worlds_at_once_as_they_are_told() {
        let seeds = Seeds {
            first: 1,
            count: 20,
            jobs: 4,
            keep_going: true,
        };
        let line = "campaign lossy --seeds 20 --jobs 4 --keep-going";
        assert_eq!(parsed(line), Ok(Command::Lossy { seeds }));
        assert!(parsed("campaign lossy --jobs 0").is_err());
        assert!(parsed("run --keep-going").is_err());
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |line: &str| parsed(line).expect_err(line);
        assert_eq!(wrong("fly"), "there is no command \"fly\"");
        assert!(wrong("run --seed x").contains("--seed x"));
        assert!(wrong("run --seed").contains("needs a value"));
        assert!(wrong("run --nodes 2").contains("at least 3"));
        assert!(wrong("goodput --seed 3").contains("no option --seed"));
        assert!(wrong("campaign").contains("mixed or lossy"));
        assert!(wrong("run --faults all").contains("none, links or mixed"));
        assert!(wrong("run --seed 1 --seed 2").contains("twice"));
    }
}
