//! The `p2p` binary: a thin client of the local node's HTTP surface, plus the commands that run nodes (`up`,
//! `introducer`, `demo`). docs/cli.md describes the commands, their JSON and the exit codes.

mod arguments;
mod client;
mod command;
mod context;
mod demo;
mod exit;
mod failure;
mod file_arguments;
mod node_arguments;
mod output;
mod peer;
mod place;

use std::process::exit;

use clap::Parser;

use crate::arguments::Arguments;
use crate::context::Context;

fn main() {
    let arguments = Arguments::parse();
    start_log(&arguments);
    let context = Context::new(&arguments);
    let result = smol::block_on(command::run(&context, arguments.command));
    let code = match result {
        Ok(()) => exit::OK,
        Err(failure) => {
            context.output.failure(&failure);
            failure.exit_code
        }
    };
    // A thread may still sit in a read of standard input; waiting for it would hang.
    exit(i32::from(code));
}

/// Logs go to standard error: warnings by default, less with -q, more with -v, anything with `P2P_LOG`.
fn start_log(arguments: &Arguments) {
    let level = match (arguments.global.quiet, arguments.global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, 2) => "debug",
        (false, _) => "trace",
    };
    let environment = env_logger::Env::new().filter_or("P2P_LOG", level);
    env_logger::Builder::from_env(environment)
        .target(env_logger::Target::Stderr)
        .init();
}
