//! The locks as a matrix: method, path, Host, Origin, Sec-Fetch-Site and authentication in all combinations, against
//! an expectation that is computed from the rules in docs/http.md, not from the code.

mod world;

use world::{ADA, HOST, Response, World, ask, bare, bearer};

const METHODS: &[&str] = &[
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get",
];
const PATHS: &[&str] = &[
    "/v1/node",
    "/v1/nothing/here",
    "/",
    "/static/app.css",
    "/v1/peers/x/connect",
];
const HOSTS: &[(Option<&str>, bool)] = &[
    (Some("localhost:8080"), true),
    (Some("127.0.0.1:8080"), true),
    (Some("[::1]:8080"), true),
    (Some("localhost"), false),
    (Some("evil.example:8080"), false),
    (Some("localhost:8080.evil.example"), false),
    (Some("0.0.0.0:8080"), false),
    (None, false),
];
const ORIGINS: &[(Option<&str>, Option<&str>)] = &[
    (None, None),
    (Some("http://localhost:8080"), Some("localhost:8080")),
    (Some("http://evil.example"), Some("-")),
    (Some("null"), Some("-")),
];
const SITES: &[(Option<&str>, bool)] = &[
    (None, true),
    (Some("same-origin"), true),
    (Some("none"), true),
    (Some("same-site"), false),
    (Some("cross-site"), false),
];

#[derive(Clone, Copy, PartialEq, Debug)]
enum Auth {
    Nothing,
    Wrong,
    Token,
    Cookie,
    CookieAndCsrf,
}

struct Login {
    cookie: String,
    csrf: String,
}

fn log_in(world: &mut World) -> Login {
    let ticket = world.get(ADA, ask("POST", "/v1/auth/tickets")).json();
    let body = format!("{{\"ticket\":{}}}", ticket["ticket"]);
    let login = world.get(ADA, bare("POST", "/v1/auth/login").json(&body));
    let cookie = login.header("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
    Login {
        cookie: cookie.split(';').next().unwrap_or_default().to_owned(),
        csrf: login.json()["csrf"].as_str().expect("a value").to_owned(),
    }
}

fn assert_protected(response: &Response) {
    let policy = response
        .header("content-security-policy")
        .expect("a policy");
    for part in [
        "default-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(response.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(
        response.header("cross-origin-resource-policy"),
        Some("same-origin")
    );
    assert_eq!(response.header("x-p2p-version"), Some("1.2.3"));
    let cors = |(name, _): &(String, String)| name.starts_with("access-control-");
    assert!(!response.headers.iter().any(cors), "{response:?}");
}

/// Which statuses the rules allow.
fn expected(method: &str, path: &str, auth: Auth) -> &'static [u16] {
    let public = matches!(path, "/" | "/static/app.css");
    let safe = matches!(method, "GET" | "HEAD" | "OPTIONS");
    if !public {
        match auth {
            Auth::Nothing => return &[401],
            Auth::Wrong => return &[401, 429],
            Auth::Cookie if !safe => return &[403],
            _ => {}
        }
    }
    match (method, path) {
        (_, "/v1/nothing/here") => &[404],
        ("OPTIONS", _) => &[204],
        ("GET", "/v1/node" | "/" | "/static/app.css") => &[200],
        ("HEAD", "/" | "/static/app.css") => &[200],
        ("POST", "/v1/peers/x/connect") => &[404, 409],
        _ => &[405],
    }
}

#[test]
fn every_combination_is_let_in_or_kept_out_by_the_rules() {
    let mut world = World::alone();
    let login = log_in(&mut world);
    let mut asked = 0;
    for method in METHODS {
        for path in PATHS {
            for (host, host_fine) in HOSTS {
                for (origin, wanted_host) in ORIGINS {
                    for (site, site_fine) in SITES {
                        for auth in [
                            Auth::Nothing,
                            Auth::Wrong,
                            Auth::Token,
                            Auth::Cookie,
                            Auth::CookieAndCsrf,
                        ] {
                            let mut ask = bare(method, path).without("Host");
                            let fields =
                                [("Host", host), ("Origin", origin), ("Sec-Fetch-Site", site)];
                            for (name, value) in fields {
                                if let Some(value) = value {
                                    ask = ask.header(name, value);
                                }
                            }
                            ask = match auth {
                                Auth::Nothing => ask,
                                Auth::Wrong => ask.header("Authorization", "Bearer wrong"),
                                Auth::Token => ask.header("Authorization", &bearer()),
                                Auth::Cookie => ask.header("Cookie", &login.cookie),
                                Auth::CookieAndCsrf => ask
                                    .header("Cookie", &format!("a=b; {}", login.cookie))
                                    .header("X-CSRF", &login.csrf),
                            };
                            let response = world.get(ADA, ask);
                            let origin_fine = wanted_host.is_none() || *wanted_host == *host;
                            let let_in = *host_fine && origin_fine && *site_fine;
                            let expected = if let_in {
                                expected(method, path, auth)
                            } else {
                                &[403]
                            };
                            assert!(
                                expected.contains(&response.status),
                                "{method} {path} {host:?} {origin:?} {site:?} {auth:?}: {response:?}"
                            );
                            assert_protected(&response);
                            assert!(!String::from_utf8_lossy(&response.body).contains("evil"));
                            asked += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(asked, 8 * 5 * 8 * 4 * 5 * 5);
}

#[test]
fn without_a_token_nothing_tells_whether_a_path_exists() {
    let mut world = World::alone();
    let there = world.get(ADA, bare("GET", "/v1/node"));
    for path in [
        "/v1/nodes",
        "/settings",
        "/v1/peers/a/why",
        "/%zz",
        "/nothing?%",
    ] {
        let response = world.get(ADA, bare("GET", path));
        assert_eq!(response.body, there.body, "{path}");
        assert_eq!(response.headers, there.headers, "{path}");
    }
}

#[test]
fn a_connection_from_elsewhere_gets_nothing() {
    let mut world = World::alone();
    for path in ["/", "/healthz", "/v1/node"] {
        let mut ask = ask("GET", path);
        ask.request.peer_is_loopback = false;
        assert_eq!(world.get(ADA, ask).code(), "not_loopback", "{path}");
    }
}

#[test]
fn ten_wrong_tokens_lock_wrong_ones_out_for_a_while() {
    let mut world = World::alone();
    let wrong = || bare("GET", "/v1/node").header("Authorization", "Bearer nope");
    for _ in 0..10 {
        assert_eq!(world.get(ADA, wrong()).status, 401);
    }
    let locked = world.get(ADA, wrong());
    assert_eq!(locked.code(), "locked_out");
    assert_eq!(locked.header("retry-after"), Some("60"));
    let login = bare("POST", "/v1/auth/login").json("{\"ticket\":\"guess\"}");
    assert_eq!(
        world.get(ADA, login).code(),
        "locked_out",
        "tickets count as well"
    );
    assert_eq!(
        world.get(ADA, ask("GET", "/v1/node")).status,
        200,
        "the owner is not locked out"
    );
    world.run(core::time::Duration::from_secs(60));
    assert_eq!(world.get(ADA, wrong()).status, 401);
}

#[test]
fn a_log_in_lasts_until_it_is_ended() {
    let mut world = World::alone();
    let login = log_in(&mut world);
    let session = || bare("GET", "/v1/auth/session").header("Cookie", &login.cookie);
    let again = world.get(ADA, session()).json();
    assert_eq!(again["csrf"], login.csrf.as_str());
    let ticket = bare("POST", "/v1/auth/tickets")
        .header("Cookie", &login.cookie)
        .header("X-CSRF", &login.csrf);
    assert_eq!(world.get(ADA, ticket).code(), "token_required");
    let out = bare("POST", "/v1/auth/logout")
        .header("Cookie", &login.cookie)
        .header("X-CSRF", &login.csrf);
    let out = world.get(ADA, out);
    assert_eq!(out.status, 204);
    assert!(
        out.header("set-cookie")
            .is_some_and(|c| c.contains("Max-Age=0"))
    );
    assert_eq!(world.get(ADA, session()).status, 401);
}

#[test]
fn repeated_fields_do_not_pass() {
    let mut world = World::alone();
    let twice = ask("GET", "/v1/node").header("Host", HOST);
    assert_eq!(world.get(ADA, twice).code(), "host_not_allowed");
    let twice = ask("GET", "/v1/node").header("Authorization", &bearer());
    assert_eq!(world.get(ADA, twice).status, 401);
    let absolute = ask("GET", "http://localhost:8080/v1/node");
    assert_eq!(world.get(ADA, absolute).code(), "bad_target");
}

#[test]
fn the_page_is_served_with_tags_and_types() {
    let mut world = World::alone();
    let page = world.get(ADA, bare("GET", "/"));
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    let tag = page.header("etag").expect("a tag").to_owned();
    let again = world.get(ADA, bare("GET", "/").header("If-None-Match", &tag));
    assert_eq!((again.status, again.body.len()), (304, 0));
    let head = world.get(ADA, bare("HEAD", "/"));
    assert_eq!((head.status, head.body.len()), (200, 0));
    let text = page.text();
    assert!(!text.contains("<style") && !text.contains("style=") && !text.contains(" onclick"));
    let mut files = 0;
    for part in text.split("\"/static/").skip(1) {
        let file = part.split('"').next().unwrap_or_default();
        let response = world.get(ADA, bare("GET", &format!("/static/{file}")));
        assert_eq!(response.status, 200, "{file}");
        files += 1;
    }
    assert!(files >= 4);
    for script in ["app.js", "docs.js", "chat.js"] {
        let script = world
            .get(ADA, bare("GET", &format!("/static/{script}")))
            .text();
        assert!(!script.contains("innerHTML") && !script.contains("insertAdjacentHTML"));
        for part in script.split(" from \"./").skip(1) {
            let file = part.split('"').next().unwrap_or_default();
            let response = world.get(ADA, bare("GET", &format!("/static/{file}")));
            let kind = response.header("content-type");
            assert_eq!(kind, Some("text/javascript; charset=utf-8"), "{file}");
        }
    }
    for outside in [
        "/static/..%2fCargo.toml",
        "/static/%2e%2e",
        "/static/index.html%00",
    ] {
        assert!(
            world.get(ADA, ask("GET", outside)).status >= 400,
            "{outside}"
        );
    }
}
