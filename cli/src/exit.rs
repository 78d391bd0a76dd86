//! Exit codes, the same for every command (docs/cli.md), and which of them a problem code of the HTTP surface means.

/// Everything was done.
pub(crate) const OK: u8 = 0;
/// Something failed that has no code of its own.
pub(crate) const GENERIC: u8 = 1;
/// The command line, or a value on it, is wrong.
pub(crate) const USAGE: u8 = 2;
/// No node answers on this machine.
pub(crate) const NOT_RUNNING: u8 = 3;
/// The token is missing or wrong.
pub(crate) const AUTH: u8 = 4;
/// There is no such peer, service, or thing.
pub(crate) const NOT_FOUND: u8 = 5;
/// The peer or introducer cannot be reached.
pub(crate) const UNREACHABLE: u8 = 6;
/// No answer in time.
pub(crate) const TIMEOUT: u8 = 7;
/// It clashes with the present state: ambiguous, in use, taken.
pub(crate) const CONFLICT: u8 = 8;
/// The other side refused.
pub(crate) const REFUSED: u8 = 9;
/// Keys or content are not what they should be.
pub(crate) const INTEGRITY: u8 = 10;

/// The disk is full, here or there.
pub(crate) const NO_SPACE: u8 = 11;
/// Some of it was done, and some was not.
pub(crate) const PARTLY: u8 = 12;

/// The table as `p2p help exit-codes` prints it.
pub(crate) const TABLE: &str = "\
Exit codes of all commands:

   0  done
   1  failed, for a reason without a code of its own
   2  usage: the command line, or a value on it, is wrong
   3  no node is running here
   4  the token is missing or wrong
   5  not found: no such peer, name, service or thing
   6  unreachable: the peer or the introducer does not answer
   7  no answer in time
   8  conflict: ambiguous, in use, or already taken
   9  refused by the other side
  10  integrity: keys or content are not what they should be
  11  no space on the disk, here or there
  12  partly: some files were left out";

/// The exit code for a problem of the HTTP surface; where the code is new, its status decides.
#[must_use]
pub(crate) fn of_problem(code: &str, status: u16) -> u8 {
    match code {
        "not_loopback" | "host_not_allowed" | "cross_site" | "unauthorized" | "locked_out"
        | "ticket_invalid" | "csrf_required" | "token_required" => AUTH,
        "introducer_unreachable" | "no_introducer" | "not_connected" | "disconnected" => {
            UNREACHABLE
        }
        "connect_refused" | "service_refused" | "throttled" => REFUSED,
        "key_mismatch" => INTEGRITY,
        "invite_used" | "invite_expired" => NOT_FOUND,
        "shut_down" => NOT_RUNNING,
        _ => match status {
            400 | 405 | 413 | 415 | 422 => USAGE,
            401 => AUTH,
            403 => REFUSED,
            404 => NOT_FOUND,
            409 => CONFLICT,
            504 => TIMEOUT,
            _ => GENERIC,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_in_the_table() {
        for code in [
            OK,
            GENERIC,
            USAGE,
            NOT_RUNNING,
            AUTH,
            NOT_FOUND,
            UNREACHABLE,
            TIMEOUT,
            CONFLICT,
            REFUSED,
            INTEGRITY,
        ] {
            assert!(
                TABLE
                    .lines()
                    .any(|l| l.trim_start().starts_with(&format!("{code}  ")))
            );
        }
    }

    #[test]
    fn problems_map_to_what_a_script_would_ask() {
        for (problem, status, code) in [
            ("unauthorized", 401, AUTH),
            ("cross_site", 403, AUTH),
            ("peer_not_found", 404, NOT_FOUND),
            ("not_connected", 409, UNREACHABLE),
            ("introducer_unreachable", 503, UNREACHABLE),
            ("connect_timed_out", 504, TIMEOUT),
            ("peer_ambiguous", 409, CONFLICT),
            ("connect_refused", 403, REFUSED),
            ("key_mismatch", 403, INTEGRITY),
            ("invalid_parameter", 422, USAGE),
            ("limit_reached", 503, GENERIC),
            ("one of tomorrow", 404, NOT_FOUND),
        ] {
            assert_eq!(of_problem(problem, status), code, "{problem}");
        }
    }
}
