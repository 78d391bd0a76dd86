//! Where the local node is found: its state directory, the token in it, and the address of its HTTP surface. A node
//! that runs leaves its address in the state directory, so that `--state-dir` alone finds one on other ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::exit;
use crate::failure::Failure;

/// The state directory: as given, or the user's own.
///
/// # Errors
/// A failure where none is given and there is no home directory.
pub(crate) fn state_directory(given: Option<&Path>) -> Result<PathBuf, Failure> {
    given.map_or_else(
        || p2p_storage::default_path().map_err(|e| Failure::from_state(exit::GENERIC, &e)),
        |path| Ok(path.to_owned()),
    )
}

/// The file with the token.
pub(crate) fn token_path(state: &Path) -> PathBuf {
    state.join(p2p_storage::TOKEN_FILE)
}

/// Reads the token; `None` where there is no such file yet.
///
/// # Errors
/// A failure where the file is there and cannot be used.
pub(crate) fn token(state: &Path) -> Result<Option<String>, Failure> {
    if !token_path(state).exists() {
        return Ok(None);
    }
    let token = p2p_storage::read_token(state).map_err(|e| Failure::from_state(exit::AUTH, &e))?;
    Ok(Some(token.reveal().to_owned()))
}

/// The address of the HTTP surface: as given, or of the node that holds the state directory. The token goes nowhere
/// else: at an address that a node had once, or that nodes have by default, anybody may listen.
///
/// # Errors
/// A usage failure where what is given is no loopback address: the token must not leave this machine in the clear. A
/// failure where no node holds the state directory.
pub(crate) fn http_address(given: Option<&str>, state: &Path) -> Result<SocketAddr, Failure> {
    if let Some(text) = given {
        return parse_address(text);
    }
    p2p_storage::http_address(state).ok_or_else(|| {
        let what = format!("No node runs on {}", state.display());
        Failure::new(exit::NOT_RUNNING, "not_running", what)
            .because("No process holds this state directory.")
            .fix("Start one with: p2p up (or name it with --api or --state-dir).")
    })
}

fn parse_address(text: &str) -> Result<SocketAddr, Failure> {
    let wrong = |why: &str| {
        Failure::usage(format!("{text} is no address of a local node"))
            .because(why)
            .fix("Give it as http://127.0.0.1:8080; reach other machines through ssh -L.")
    };
    let place = text
        .strip_prefix("http://")
        .unwrap_or(text)
        .trim_end_matches('/');
    let place = place.replacen("localhost", "127.0.0.1", 1);
    let address: SocketAddr = place
        .parse()
        .map_err(|_| wrong("It is not http://HOST:PORT with a loopback address."))?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(wrong("The token would leave this machine unprotected."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_gets_the_token() {
        for good in [
            "http://127.0.0.1:8080",
            "http://[::1]:9/",
            "localhost:80",
            "127.8.8.8:1",
        ] {
            assert!(parse_address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://192.0.2.1:8080",
            "https://127.0.0.1:1",
            "http://localhost",
            "x",
            "",
        ] {
            assert_eq!(
                parse_address(bad).unwrap_err().exit_code,
                exit::USAGE,
                "{bad}"
            );
        }
    }
}
