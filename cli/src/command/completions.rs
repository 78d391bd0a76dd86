//! `p2p completions`: the completion script of a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::arguments::Arguments;

/// Runs it.
pub(super) fn run(shell: Shell) {
    let mut command = Arguments::command();
    clap_complete::generate(shell, &mut command, "p2p", &mut std::io::stdout());
}
