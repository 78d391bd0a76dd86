//! Where the local node is found: its state directory, the token in it, and the address of its HTTP surface. A node
//! that runs leaves its address in the state directory, so that `--state-dir` alone finds one on other ports.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::exit;
use crate::failure::Failure;

/// The address where a node serves HTTP unless it is told otherwise.
pub(crate) const DEFAULT_HTTP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// File of the state directory that names the address of a node that runs.
const ADDRESS_FILE: &str = "http-address";

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

/// Leaves the address of a node that runs, for clients that know its state directory only.
pub(crate) fn leave_address(state: &Path, http: SocketAddr) {
    if let Err(e) = fs::write(state.join(ADDRESS_FILE), format!("http://{http}\n")) {
        log::warn!("the HTTP address is not left in the state directory: {e}");
    }
}

/// Takes the address back.
pub(crate) fn take_address_back(state: &Path) {
    let _ = fs::remove_file(state.join(ADDRESS_FILE));
}

/// The address of the HTTP surface: as given, as a running node left it, or the default.
///
/// # Errors
/// A usage failure where what is given is no loopback address: the token must not leave this machine in the clear.
pub(crate) fn http_address(given: Option<&str>, state: &Path) -> Result<SocketAddr, Failure> {
    if let Some(text) = given {
        return parse_address(text);
    }
    let left = fs::read_to_string(state.join(ADDRESS_FILE));
    Ok(left
        .ok()
        .and_then(|text| parse_address(text.trim()).ok())
        .unwrap_or(DEFAULT_HTTP))
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
