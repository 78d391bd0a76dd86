//! Where a request comes from, as far as its header fields tell: `Host`, `Origin`, `Sec-Fetch-Site`.

use crate::exchange::Request;

/// The `Host` value if it is there once and is, letter by letter, one of ours.
pub(super) fn allowed_host<'a>(request: &Request, allowed: &'a [String]) -> Option<&'a str> {
    let mut values = request.header_values("host");
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let same = |host: &&String| host.as_bytes().eq_ignore_ascii_case(value);
    allowed.iter().find(same).map(String::as_str)
}

/// Whether the browser, if it is one, was sent by our own page or by its user. Programs send neither field.
pub(super) fn same_site(request: &Request, host: &str) -> bool {
    let fetch_site = !request.has_header("sec-fetch-site")
        || matches!(
            request.header("sec-fetch-site"),
            Some("same-origin" | "none")
        );
    let origin = match (request.has_header("origin"), request.header("origin")) {
        (false, _) => true,
        (true, Some(origin)) => origin
            .strip_prefix("http://")
            .is_some_and(|o| o.eq_ignore_ascii_case(host)),
        _ => false,
    };
    fetch_site && origin
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &[(&str, &str)]) -> Request {
        let field = |(n, v): &(&str, &str)| ((*n).to_owned(), v.as_bytes().to_vec());
        Request {
            method: "GET".to_owned(),
            target: "/".to_owned(),
            headers: fields.iter().map(field).collect(),
            peer_is_loopback: true,
            can_upgrade: false,
        }
    }

    #[test]
    fn only_the_exact_hosts_pass() {
        let allowed = crate::SurfaceConfig::loopback_hosts(8_080);
        let passes = |host: &str| allowed_host(&request(&[("Host", host)]), &allowed).is_some();
        for fine in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "localhost:8080",
            "LOCALHOST:8080",
        ] {
            assert!(passes(fine), "{fine}");
        }
        for wrong in [
            "",
            "localhost",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:08080",
            "127.0.0.1:8080 ",
            "127.0.0.1:8080.",
            "localhost.:8080",
            "0.0.0.0:8080",
            "127.1:8080",
            "2130706433:8080",
            "0x7f000001:8080",
            "[::1%lo]:8080",
            "::1:8080",
            "[::ffff:127.0.0.1]:8080",
            "user@127.0.0.1:8080",
            "evil.example:8080",
            "127.0.0.1:8080@evil.example",
            "127.0.0.1:8080,evil.example",
            "127.0.0.1\t:8080",
            "127.0.0.1:8080\0",
            "127.0.0.2:8080",
            "localhost.evil.example:8080",
            "http://127.0.0.1:8080",
            "127.0.0.1:8080/",
        ] {
            assert!(!passes(wrong), "{wrong:?}");
        }
        assert!(allowed_host(&request(&[]), &allowed).is_none(), "absent");
        let twice = request(&[("Host", "localhost:8080"), ("host", "localhost:8080")]);
        assert!(allowed_host(&twice, &allowed).is_none(), "repeated");
    }

    #[test]
    fn other_sites_do_not_pass() {
        let passes = |fields: &[(&str, &str)]| same_site(&request(fields), "localhost:8080");
        assert!(passes(&[]));
        assert!(passes(&[("Sec-Fetch-Site", "none")]));
        assert!(passes(&[
            ("Sec-Fetch-Site", "same-origin"),
            ("Origin", "http://localhost:8080")
        ]));
        for fields in [
            &[("Sec-Fetch-Site", "cross-site")][..],
            &[("Sec-Fetch-Site", "same-site")],
            &[("Sec-Fetch-Site", "")],
            &[("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "none")],
            &[("Origin", "null")],
            &[("Origin", "http://127.0.0.1:8080")],
            &[("Origin", "https://localhost:8080")],
            &[("Origin", "http://localhost:8081")],
            &[("Origin", "http://localhost:8080.evil.example")],
            &[
                ("Sec-Fetch-Site", "same-origin"),
                ("Origin", "http://evil.example"),
            ],
            &[
                ("Origin", "http://localhost:8080"),
                ("Origin", "http://localhost:8080"),
            ],
        ] {
            assert!(!passes(fields), "{fields:?}");
        }
    }
}
