//! The options of a node on the command line, made from the one table of settings.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};
use p2p_host::settings::{Given, Kind, SETTINGS, Setting, help_line};

const UNTIL_STDIN_ENDS: &str = "until_stdin_ends";

/// How a node is set up, as far as the command line says.
#[derive(Clone, Default)]
pub(crate) struct NodeArguments {
    /// Values of settings.
    pub given: Given,
    /// Whether it ends when standard input ends, as a child of another program.
    pub until_stdin_ends: bool,
}

fn argument(setting: &'static Setting) -> Arg {
    let argument = Arg::new(setting.key)
        .long(setting.option)
        .help(help_line(setting));
    match setting.kind {
        Kind::One(value) => argument.value_name(value).action(ArgAction::Set),
        Kind::Many(value) => argument.value_name(value).action(ArgAction::Append),
        Kind::Switch => argument.action(ArgAction::SetTrue),
    }
}

impl Args for NodeArguments {
    fn augment_args(command: Command) -> Command {
        let until = Arg::new(UNTIL_STDIN_ENDS)
            .long("until-stdin-ends")
            .hide(true)
            .action(ArgAction::SetTrue);
        command.args(SETTINGS.iter().map(argument)).arg(until)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for NodeArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut arguments = Self::default();
        arguments.update_from_arg_matches(matches)?;
        Ok(arguments)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.until_stdin_ends = matches.get_flag(UNTIL_STDIN_ENDS);
        for setting in SETTINGS {
            if setting.kind == Kind::Switch {
                if matches.get_flag(setting.key) {
                    self.given.push(setting, None);
                }
                continue;
            }
            for value in matches.get_many::<String>(setting.key).unwrap_or_default() {
                self.given.push(setting, Some(value.clone()));
            }
        }
        Ok(())
    }
}
