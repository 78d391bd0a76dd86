//! `p2p-mini`: a whole node in a small program. Reads the command line, starts the node, says where it is, and waits
//! for Ctrl-C.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt};
use p2p_driver_std::{NodeOptions, Ready, start};
use p2p_host::settings::{self, Given, Kind};
use p2p_http_api::InboxPlace;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

const HELP: &str = "\
p2p-mini runs a node: it finds peers through introducers and talks to them, encrypted.

{settings}  --state-dir DIR
                       Keys and token [default: ~/.local/state/p2p] [env: P2P_STATE_DIR]
  --json
                       Say where the node is as one JSON object
  -h, --help
  -V, --version

Settings also come from the environment, as shown, and from ~/.config/p2p/config.toml (docs/cli.md).
RUST_LOG=info shows what happens. Exit codes: 0 ended, 1 cannot start, 2 wrong arguments.
";

struct Arguments {
    given: Given,
    state_dir: Option<PathBuf>,
    json: bool,
}

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            complain(
                "cannot use these arguments",
                &error.to_string(),
                "see: p2p-mini --help",
            );
            return ExitCode::from(2);
        }
    };
    let options = match settings::read_options(&arguments.given) {
        Ok(options) => NodeOptions {
            state_dir: arguments.state_dir,
            inbox: options.inbox.or(Some(InboxPlace::Memory)),
            ..options
        },
        Err(error) => {
            complain(&error.what, &error.why, &error.fix);
            return ExitCode::from(2);
        }
    };
    let mut signals = match Signals::new([SIGINT, SIGTERM]) {
        Ok(signals) => signals,
        Err(error) => {
            complain(
                "cannot catch signals",
                &error.to_string(),
                "look into the reason",
            );
            return ExitCode::FAILURE;
        }
    };
    match start(&options) {
        Ok(node) => {
            if let Err(error) = present(&node.facts, arguments.json) {
                log::debug!("nobody reads the output: {error}");
            }
            let stop = node.stopper();
            std::thread::spawn(move || signals.forever().take(1).for_each(|_| stop()));
            node.wait();
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error.what(), &error.why(), &error.fix());
            ExitCode::FAILURE
        }
    }
}

fn complain(what: &str, why: &str, fix: &str) {
    // Where nobody reads the complaint, the exit code tells.
    let _ = writeln!(io::stderr(), "error: {what}\n  why: {why}\n  fix: {fix}");
}

fn arguments() -> Result<Option<Arguments>, lexopt::Error> {
    let mut given = Given::default();
    let mut state_dir = std::env::var_os("P2P_STATE_DIR").map(PathBuf::from);
    let mut json = false;
    let mut parser = Parser::from_env();
    while let Some(argument) = parser.next()? {
        if let Arg::Long(option) = &argument
            && let Some(setting) = settings::by_option(option)
        {
            let value = match setting.kind {
                Kind::Switch => None,
                _ => Some(parser.value()?.string()?),
            };
            given.push(setting, value);
            continue;
        }
        match argument {
            Arg::Long("state-dir") => state_dir = Some(parser.value()?.into()),
            Arg::Long("json") => json = true,
            Arg::Short('h') | Arg::Long("help") => {
                let _ = io::stdout()
                    .write_all(HELP.replace("{settings}", &settings::help()).as_bytes());
                return Ok(None);
            }
            Arg::Short('V') | Arg::Long("version") => {
                let _ = writeln!(io::stdout(), "p2p-mini {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(Arguments {
        given,
        state_dir,
        json,
    }))
}

/// Says where the node is.
fn present(node: &Ready, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let texts = |addresses: &[SocketAddr]| -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    };
    let invitations: Vec<String> = node
        .local_addresses
        .iter()
        .map(|address| format!("p2p://{}@{address}", node.id))
        .collect();
    if json {
        let facts = serde_json::json!({
            "id": node.id.to_string(),
            "udp": texts(&node.udp),
            "introducer_addresses": invitations,
            "http": texts(&node.http),
            "token_file": node.token_path.display().to_string(),
            "page": node.page_url,
        });
        writeln!(out, "{facts}")?;
    } else {
        writeln!(out, "node     {}", node.id)?;
        writeln!(out, "udp      {}", texts(&node.udp).join(", "))?;
        for invitation in &invitations {
            writeln!(out, "address  {invitation}")?;
        }
        writeln!(out, "page     {}", node.page_url)?;
        writeln!(out, "token    {}", node.token_path.display())?;
        writeln!(out, "Ctrl-C ends the node.")?;
    }
    out.flush()
}
