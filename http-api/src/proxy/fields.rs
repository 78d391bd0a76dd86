//! Which header fields pass between a program and an application. Both nodes apply these rules, since neither trusts
//! the other's node: what belongs to one connection stays on it (RFC 9110 §7.6.1), and who asks is said by the
//! serving node alone.

use super::head::{Fields, is_token_byte, is_value_byte};
use super::path::strip_authority;

/// Fields of one connection, in both directions. Lengths are carried as numbers.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "alt-svc",
    "content-length",
];
/// Fields that a node writes itself, or that are between a program and its node.
const OF_NODES: &[&str] = &["host", "expect", "forwarded", "x-real-ip"];
/// Fields of answers that would speak for more than one service.
const OF_THE_ORIGIN: &[&str] = &[
    "service-worker-allowed",
    "strict-transport-security",
    "clear-site-data",
];

/// Fields of a request that pass, names in lower case. One whose name cannot be read, or has an underscore, which some
/// applications take for a hyphen, is dropped; one whose value cannot be read, too.
pub(crate) fn request_fields<'a>(
    given: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
) -> Fields {
    let named = named_in_connection(given.clone());
    let mut fields = Fields::new();
    for (name, value) in given {
        let name = name.to_ascii_lowercase();
        let is_ours = OF_NODES.contains(&name.as_str())
            || ["x-p2p-", "p2p-", "x-forwarded-"]
                .iter()
                .any(|prefix| name.starts_with(prefix));
        if is_ours || name.contains('_') || !passes(&name, value, &named) {
            continue;
        }
        if name == "cookie" {
            let value = foreign_cookies(value);
            if !value.is_empty() {
                fields.push((name, value));
            }
            continue;
        }
        fields.push((name, value.to_vec()));
    }
    fields
}

/// Fields of an answer that pass, names in lower case. `place` is what an absolute `Location` begins with where it
/// means the service itself, and what is put in its place.
pub(crate) fn response_fields<'a>(
    given: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
    place: &dyn Fn(&str) -> Option<String>,
) -> Fields {
    let named = named_in_connection(given.clone());
    let mut fields = Fields::new();
    for (name, value) in given {
        let name = name.to_ascii_lowercase();
        let is_ours = name.starts_with("x-p2p-") || OF_THE_ORIGIN.contains(&name.as_str());
        if is_ours || !passes(&name, value, &named) {
            continue;
        }
        let value = match name.as_str() {
            "set-cookie" => match own_cookie(value) {
                Some(value) => value,
                None => continue,
            },
            "location" => {
                let moved = core::str::from_utf8(value).ok().and_then(place);
                moved.map_or_else(|| value.to_vec(), String::into_bytes)
            }
            _ => value.to_vec(),
        };
        fields.push((name, value));
    }
    fields
}

/// Where a `Location` of an application with this `authority` and `base` leads, seen from the service's root.
pub(crate) fn within_service(location: &str, authority: &str, base: &str) -> Option<String> {
    let path = strip_authority(location, authority)?;
    let below = path.strip_prefix(base)?;
    match below.bytes().next() {
        Some(b'/') => Some(below.to_owned()),
        None => Some("/".to_owned()),
        Some(b'?') => Some(format!("/{below}")),
        Some(_) => None,
    }
}

/// Whether a request has passed the node whose mark this is (RFC 9110 §7.6.3).
pub(crate) fn has_passed(fields: &Fields, mark: &str) -> bool {
    let via = fields.iter().filter(|(name, _)| name == "via");
    let lists = via.filter_map(|(_, value)| core::str::from_utf8(value).ok());
    lists
        .flat_map(|list| list.split(','))
        .any(|hop| hop.split_ascii_whitespace().nth(1) == Some(mark))
}

fn named_in_connection<'a>(given: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<String> {
    let lines = given.filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
    let words = lines.flat_map(|(_, value)| value.split(|b| *b == b','));
    let words = words.map(|word| String::from_utf8_lossy(word.trim_ascii()).to_ascii_lowercase());
    words.collect()
}

fn passes(name: &str, value: &[u8], named: &[String]) -> bool {
    let is_token = !name.is_empty() && name.bytes().all(is_token_byte);
    let is_hop = HOP_BY_HOP.contains(&name) || name.starts_with("proxy-");
    let is_value = value.iter().all(|b| is_value_byte(*b));
    is_token && is_value && !is_hop && !named.iter().any(|n| n == name)
}

/// Whether a cookie is a node's own.
fn is_of_a_node(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with(b"p2p-") || name.starts_with(b"p2p_")
}

/// A `Cookie` value without the nodes' own cookies.
fn foreign_cookies(value: &[u8]) -> Vec<u8> {
    let pairs = value.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let foreign = pairs.filter(|pair| !pair.is_empty() && !is_of_a_node(pair));
    foreign.collect::<Vec<_>>().join(&b"; "[..])
}

/// A `Set-Cookie` value for this host only; `None` where it is a node's own name.
fn own_cookie(value: &[u8]) -> Option<Vec<u8>> {
    let mut parts = value.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    let pair = parts.next().filter(|pair| !is_of_a_node(pair))?;
    let is_domain = |part: &&[u8]| {
        let name = part.split(|b| *b == b'=').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"domain")
    };
    let rest = parts.filter(|part| !is_domain(part));
    let all: Vec<_> = core::iter::once(pair).chain(rest).collect();
    Some(all.join(&b"; "[..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(given: &[(&str, &str)]) -> Vec<String> {
        let given = given.iter().map(|(n, v)| (*n, v.as_bytes()));
        lines(request_fields(given))
    }

    fn response(given: &[(&str, &str)]) -> Vec<String> {
        let given = given.iter().map(|(n, v)| (*n, v.as_bytes()));
        let place = |l: &str| within_service(l, "127.0.0.1:3000", "/app");
        lines(response_fields(given, &place))
    }

    fn lines(fields: Fields) -> Vec<String> {
        let line = |(n, v): (String, Vec<u8>)| format!("{n}: {}", String::from_utf8_lossy(&v));
        fields.into_iter().map(line).collect()
    }

    #[test]
    fn what_is_for_the_application_passes() {
        let passed = request(&[
            ("Accept", "*/*"),
            ("Authorization", "Basic YTpi"),
            ("Range", "bytes=1-2"),
            ("Via", "1.0 x"),
            ("accept", "b"),
        ]);
        assert_eq!(
            passed,
            [
                "accept: */*",
                "authorization: Basic YTpi",
                "range: bytes=1-2",
                "via: 1.0 x",
                "accept: b"
            ]
        );
    }

    #[test]
    fn what_is_of_one_connection_stays_on_it() {
        let passed = request(&[
            ("Connection", "keep-alive, X-Secret"),
            ("connection", "other"),
            ("X-Secret", "1"),
            ("Other", "1"),
            ("TE", "trailers"),
            ("Transfer-Encoding", "chunked"),
            ("Content-Length", "5"),
            ("Proxy-Authorization", "x"),
            ("Proxy-Anything", "x"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "x"),
            ("Expect", "100-continue"),
            ("Host", "evil.example"),
            ("Keep", "1"),
        ]);
        assert_eq!(passed, ["keep: 1"]);
    }

    #[test]
    fn id_headers_nobody_but_the_serving_node_says_who_asks() {
        for name in [
            "X-P2P-Peer-Id",
            "x-p2p-peer-id",
            "X_P2P_Peer_Id",
            "X-P2P_Peer-Id",
            "x_p2p-anything",
            "X-P2P-New",
            "P2P-Token",
            "P2P_Token",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X_Forwarded_For",
            "Forwarded",
            "X-Real-IP",
            "X_Real_IP",
            "a b",
            "",
            "é",
            "X-P2P-Peer-Id ",
        ] {
            assert_eq!(request(&[(name, "forged")]), [""; 0], "{name:?}");
        }
        assert_eq!(request(&[("a", "b\r\nx-p2p-peer-id: forged")]), [""; 0]);
    }

    #[test]
    fn cookies_of_nodes_go_nowhere() {
        let passed = request(&[("Cookie", "a=1; p2p_session_8080=secret;b=2; P2P-Origin-1=x")]);
        assert_eq!(passed, ["cookie: a=1; b=2"]);
        assert_eq!(request(&[("Cookie", "p2p_session_1=x")]), [""; 0]);
        let passed = response(&[
            ("Set-Cookie", "a=1; Domain=localhost; Path=/; domain = x"),
            ("Set-Cookie", "p2p_session_8080=x"),
            ("X-P2P-Problem", "service_busy"),
            ("Strict-Transport-Security", "x"),
            ("ETag", "\"1\""),
        ]);
        assert_eq!(passed, ["set-cookie: a=1; Path=/", "etag: \"1\""]);
    }

    #[test]
    fn redirects_lead_back_into_the_service() {
        let location = |value| response(&[("Location", value)]).concat();
        assert_eq!(location("http://127.0.0.1:3000/app/x?y"), "location: /x?y");
        assert_eq!(location("/app"), "location: /");
        assert_eq!(location("/app?x"), "location: /?x");
        assert_eq!(location("/other"), "location: /other");
        assert_eq!(location("/apple"), "location: /apple");
        assert_eq!(
            location("https://example.org/"),
            "location: https://example.org/"
        );
        assert_eq!(location("next"), "location: next");
    }

    #[test]
    fn a_node_knows_its_own_mark() {
        let fields = |via: &str| vec![("via".to_owned(), via.as_bytes().to_vec())];
        assert!(has_passed(
            &fields("1.0 fred, 1.1 p2p-abcdefgh"),
            "p2p-abcdefgh"
        ));
        assert!(!has_passed(&fields("1.1 p2p-abcdefgi"), "p2p-abcdefgh"));
        assert!(!has_passed(&fields(""), "p2p-abcdefgh"));
    }
}
