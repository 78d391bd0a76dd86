//! Where a callback may go: a port of this machine's loopback, spelled in one way only, so that what was checked is
//! what is dialled. Nothing is asked of a resolver.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest address of an application.
const URL_BYTES: usize = 512;

/// The application's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Tried in turn.
    pub addresses: Vec<SocketAddr>,
    /// What `Host` says.
    pub authority: String,
    /// Path with query.
    pub path: String,
}

impl Target {
    /// Reads `http://HOST:PORT[/path]`; `own_ports` are those on which this node itself listens.
    pub(crate) fn parse(url: &str, own_ports: &[u16]) -> Result<Self, &'static str> {
        const SPELLING: &str = "must be http://127.0.0.1:PORT, http://[::1]:PORT or http://localhost:PORT, with a path";
        let plain = |b: u8| b.is_ascii_graphic() && !b"\"#<>@\\^`{|}".contains(&b);
        let rest = url.strip_prefix("http://").ok_or(SPELLING)?;
        if url.len() > URL_BYTES || !rest.bytes().all(plain) {
            return Err(SPELLING);
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        Ok(Self {
            addresses: addresses(authority, own_ports, SPELLING)?,
            authority: authority.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Reads `HOST:PORT`, for an application that speaks no HTTP.
    pub(crate) fn parse_bare(
        text: &str,
        own_ports: &[u16],
    ) -> Result<Vec<SocketAddr>, &'static str> {
        const SPELLING: &str = "must be 127.0.0.1:PORT, [::1]:PORT or localhost:PORT";
        addresses(text, own_ports, SPELLING)
    }
}

/// The addresses that `HOST:PORT` means.
fn addresses(
    text: &str,
    own_ports: &[u16],
    spelling: &'static str,
) -> Result<Vec<SocketAddr>, &'static str> {
    let (host, port) = text.rsplit_once(':').ok_or(spelling)?;
    let number: u16 = port.parse().map_err(|_| spelling)?;
    if number == 0 || number.to_string() != port {
        return Err(spelling);
    }
    let hosts = loopback(host).ok_or(spelling)?;
    if own_ports.contains(&number) {
        return Err("must not be this node itself");
    }
    let address = |ip: &IpAddr| SocketAddr::new(*ip, number);
    Ok(hosts.iter().map(address).collect())
}

/// The addresses that a host means, where it is this machine in its canonical spelling.
fn loopback(host: &str) -> Option<Vec<IpAddr>> {
    let (v4, v6) = (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    match host {
        "localhost" => Some(vec![v6.into(), v4.into()]),
        "[::1]" => Some(vec![v6.into()]),
        other => {
            let ip: Ipv4Addr = other.parse().ok()?;
            (ip.is_loopback() && ip.to_string() == other).then(|| vec![ip.into()])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_in_its_canonical_spellings_is_read() {
        let target = Target::parse("http://127.0.0.1:3000/hook?a=1", &[8080]).expect("allowed");
        assert_eq!(target.addresses, ["127.0.0.1:3000".parse().expect("one")]);
        assert_eq!(target.authority, "127.0.0.1:3000");
        assert_eq!(target.path, "/hook?a=1");
        let both = Target::parse("http://localhost:3000", &[]).expect("allowed");
        assert_eq!((both.addresses.len(), both.path.as_str()), (2, "/"));
        assert!(Target::parse("http://[::1]:3000/", &[]).is_ok());
        assert!(Target::parse("http://127.9.8.7:1", &[]).is_ok());
    }

    #[test]
    fn sec_40_other_spellings_and_places_are_refused() {
        for url in [
            "https://127.0.0.1:3000",
            "HTTP://127.0.0.1:3000",
            "http://127.0.0.1",
            "http://127.0.0.1:0",
            "http://127.0.0.1:08",
            "http://127.0.0.1:+8",
            "http://127.0.0.1:65536",
            "http://127.1:3000",
            "http://2130706433:3000",
            "http://0x7f.0.0.1:3000",
            "http://0177.0.0.1:3000",
            "http://127.0.0.01:3000",
            "http://0.0.0.0:3000",
            "http://[::]:3000",
            "http://[::ffff:127.0.0.1]:3000",
            "http://[::1%25lo]:3000",
            "http://[0:0:0:0:0:0:0:1]:3000",
            "http://10.0.0.5:3000",
            "http://169.254.169.254:80/latest/meta-data",
            "http://LOCALHOST:3000",
            "http://localhost.:3000",
            "http://localhost.example.com:3000",
            "http://a@127.0.0.1:3000",
            "http://127.0.0.1:3000@example.com:80/",
            "http://127.0.0.1:3000\\x",
            "http://127.0.0.1:3000/a b",
            "http://127.0.0.1:3000/a\r\nx: y",
            "http://127.0.0.1:3000?x",
            "http://127.0.0.1:3000/#x",
            "http://127.0.0.1:8080/v1/node",
            "http://localhost:8080/v1/node",
            "http://127.0.0.2:8080/v1/node",
            "",
        ] {
            assert!(Target::parse(url, &[8080]).is_err(), "{url}");
            let bare = url.strip_prefix("http://").unwrap_or(url);
            assert!(Target::parse_bare(bare, &[8080]).is_err(), "{bare}");
        }
        let both = Target::parse_bare("localhost:22", &[8080]);
        assert_eq!(both.map(|a| a.len()), Ok(2));
    }
}
