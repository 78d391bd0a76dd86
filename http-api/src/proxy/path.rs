//! Which paths go to an application, and where its redirects lead.

use crate::encode::percent_decode_bytes;

/// Whether a path with query stays below the service's root: no dot segment, however it is written, and no broken
/// escape.
pub(crate) fn is_clean(path_and_query: &str) -> bool {
    let path = path_and_query.split('?').next().unwrap_or_default();
    let Some(decoded) = percent_decode_bytes(path) else {
        return false;
    };
    let mut segments = decoded.split(|b| matches!(b, b'/' | b'\\'));
    path.starts_with('/') && !decoded.contains(&0) && segments.all(|s| s != b"." && s != b"..")
}

/// The path of a `Location` that names `authority`, or that is a path already; `None` where it leads elsewhere.
pub(crate) fn strip_authority<'a>(location: &'a str, authority: &str) -> Option<&'a str> {
    if location.starts_with('/') && !location.starts_with("//") {
        return Some(location);
    }
    let rest = location.strip_prefix("http://")?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (named, path) = rest.split_at(end);
    if !named.eq_ignore_ascii_case(authority) {
        return None;
    }
    Some(if path.is_empty() { "/" } else { path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_40_no_path_leaves_the_service() {
        for path in [
            "/",
            "/a/b?c=../d",
            "/a//b",
            "/%ff",
            "/...",
            "/.a",
            "/a%2Fb",
            "/~",
        ] {
            assert!(is_clean(path), "{path}");
        }
        for path in [
            "",
            "a",
            "/..",
            "/.",
            "/a/../b",
            "/%2e%2e/b",
            "/.%2E",
            "/a/%2E",
            "/..%2fb",
            "/a\\..\\b",
            "/%5c..",
            "/%",
            "/%2",
            "/%zz",
            "/a/..?b",
            "/%00",
            "?/",
        ] {
            assert!(!is_clean(path), "{path}");
        }
    }

    #[test]
    fn redirects_to_the_application_itself_become_paths() {
        let strip = |location| strip_authority(location, "127.0.0.1:3000");
        assert_eq!(strip("/a?b"), Some("/a?b"));
        assert_eq!(strip("http://127.0.0.1:3000/a"), Some("/a"));
        assert_eq!(strip("http://127.0.0.1:3000"), Some("/"));
        for other in [
            "//evil.example/",
            "http://127.0.0.1:3001/",
            "https://127.0.0.1:3000/",
            "a",
            "",
        ] {
            assert_eq!(strip(other), None, "{other}");
        }
    }
}
