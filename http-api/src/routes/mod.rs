//! The router: a table (`table.rs`) of method, path pattern, who may ask, query, body, answer and handler. The
//! OpenAPI document is made from the same table, so nothing can be served and not described.

mod table;

use crate::call::{Call, Param};
use crate::encode::percent_decode;
use crate::exchange::Request;
use crate::locks::Scope;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::schema::SchemaOf;
use crate::state::Turn;

pub(crate) use table::ROUTES;

/// Longest body that a driver may collect before it hands the head over, bytes.
const COLLECTED_BYTES: usize = 64 << 10;

/// Whether a driver may collect the request's body and hand it over with the head, so that a small request costs one
/// round trip to the thread that owns the engine: its length is announced and small, the client does not wait for
/// leave to send it, and the route takes bodies as a whole.
#[must_use]
pub fn takes_whole_body(request: &Request) -> bool {
    let length = request.header("content-length").map(str::parse::<usize>);
    let is_small = matches!(length, Some(Ok(1..=COLLECTED_BYTES)));
    if !is_small || request.has_header("expect") || request.has_header("transfer-encoding") {
        return false;
    }
    let path = request.target.split('?').next().unwrap_or_default();
    match find(&request.method, path) {
        Some(Found::Route(route, _)) => matches!(route.body, Body::Json(..) | Body::Bytes(_)),
        _ => false,
    }
}

/// Whether a request may be answered with a change of protocol: then the driver hands no body over before the answer,
/// and either goes on as [`crate::BodyKind::Upgraded`] says or tells that the body has ended.
#[must_use]
pub fn takes_upgrade(request: &Request) -> bool {
    let path = request.target.split('?').next().unwrap_or_default();
    let is_offered = request.can_upgrade && request.wants_websocket();
    let changes = |route: &Route| route.is_tail || matches!(route.answers, Answers::Empty(101));
    is_offered
        && matches!(find(&request.method, path), Some(Found::Route(route, _)) if changes(route))
}

/// Turns a call into an answer.
pub(crate) type Handler = fn(&mut Turn<'_>, &Call) -> Result<Reply, Problem>;

/// What a route takes as its body.
#[derive(Clone, Copy)]
pub(crate) enum Body {
    /// Nothing.
    None,
    /// A JSON object of at most so many bytes.
    Json(usize, SchemaOf),
    /// So many bytes of anything.
    Bytes(usize),
    /// Bytes without end, handed on as they come.
    Stream,
}

/// What a route answers when all went well.
#[derive(Clone, Copy)]
pub(crate) enum Answers {
    /// A JSON document.
    Json(u16, SchemaOf),
    /// Bytes of a content type.
    Bytes(u16, &'static str),
    /// Nothing.
    Empty(u16),
}

/// One row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    /// Method.
    pub method: &'static str,
    /// Path with `{name}` for parameters.
    pub path: &'static str,
    /// Who may ask.
    pub scope: Scope,
    /// Query parameters.
    pub query: &'static [Param],
    /// Body.
    pub body: Body,
    /// Answer.
    pub answers: Answers,
    /// What it does, as a sentence.
    pub about: &'static str,
    /// The path to use instead, where the route is kept for old clients only.
    pub successor: Option<&'static str>,
    /// Whether the last parameter is all of the path that is left, as it was sent, and the query is nobody's here.
    pub is_tail: bool,
    /// What carries it out.
    pub handler: Handler,
}

impl core::fmt::Debug for Route {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Route {
    const fn new(
        method: &'static str,
        path: &'static str,
        handler: Handler,
        answers: Answers,
        about: &'static str,
    ) -> Self {
        Self {
            method,
            path,
            scope: Scope::Owner,
            query: &[],
            body: Body::None,
            answers,
            about,
            successor: None,
            is_tail: false,
            handler,
        }
    }

    const fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    const fn query(mut self, query: &'static [Param]) -> Self {
        self.query = query;
        self
    }

    const fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    const fn tail(mut self) -> Self {
        self.is_tail = true;
        self
    }

    const fn replaced_by(mut self, successor: &'static str) -> Self {
        self.successor = Some(successor);
        self
    }
}

/// What a path and method lead to.
pub(crate) enum Found {
    /// A route with its path parameters.
    Route(&'static Route, Vec<String>),
    /// The path exists with other methods only.
    OtherMethods(Vec<&'static str>, Scope),
    /// No such path.
    Nothing,
}

/// Looks a path up; `None` where it cannot be read. HEAD leads where GET does, for what anyone may read.
pub(crate) fn find(method: &str, path: &str) -> Option<Found> {
    if let Some((routes, params)) = find_tail(path) {
        // Applications have methods of their own; the last row speaks for those that no row names.
        let named = routes.iter().find(|route| route.method == method);
        return named
            .or(routes.last())
            .map(|route| Found::Route(route, params));
    }
    let segments: Vec<String> = path
        .strip_prefix('/')?
        .split('/')
        .map(|segment| percent_decode(segment, false))
        .collect::<Option<_>>()?;
    let clean = |s: &String| !s.chars().any(char::is_control) && s != "." && s != "..";
    if !segments.iter().all(clean) {
        return None;
    }
    let mut methods = Vec::new();
    let mut scope = Scope::Owner;
    for route in ROUTES {
        let Some(params) = matches(route.path, &segments) else {
            continue;
        };
        let head = method == "HEAD" && route.method == "GET" && route.scope == Scope::Public;
        if route.method == method || head {
            return Some(Found::Route(route, params));
        }
        if !methods.contains(&route.method) {
            methods.push(route.method);
        }
        if route.scope == Scope::Public {
            scope = Scope::Public;
        }
    }
    Some(if methods.is_empty() {
        Found::Nothing
    } else {
        Found::OtherMethods(methods, scope)
    })
}

/// Routes whose last parameter is the rest of the path, and the parameters of this one; the rest is empty where the
/// slash before it is missing.
fn find_tail(path: &str) -> Option<(Vec<&'static Route>, Vec<String>)> {
    let tails = || ROUTES.iter().filter(|route| route.is_tail);
    let (route, params) = tails().find_map(|route| {
        let (fixed, _) = route.path.rsplit_once('/')?;
        let count = fixed.split('/').count();
        let parts: Vec<&str> = path.splitn(count + 1, '/').collect();
        let (parts, rest) = parts.split_at_checked(count)?;
        let parts = parts.iter().skip(1).map(|part| percent_decode(part, false));
        let parts: Vec<String> = parts.collect::<Option<_>>()?;
        let clean = |s: &String| !s.chars().any(char::is_control);
        let mut params = matches(fixed, &parts).filter(|params| params.iter().all(clean))?;
        params.push(
            rest.first()
                .map_or_else(String::new, |rest| format!("/{rest}")),
        );
        Some((route, params))
    })?;
    let same = tails().filter(|other| other.path == route.path);
    Some((same.collect(), params))
}

fn matches(pattern: &str, segments: &[String]) -> Option<Vec<String>> {
    let pattern = pattern.strip_prefix('/')?;
    let mut parts = pattern.split('/');
    let mut params = Vec::new();
    for segment in segments {
        let part = parts.next()?;
        if part.starts_with('{') && !segment.is_empty() {
            params.push(segment.clone());
        } else if part != segment {
            return None;
        }
    }
    parts.next().is_none().then_some(params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn route(method: &str, path: &str) -> Option<(&'static str, Vec<String>)> {
        match find(method, path)? {
            Found::Route(route, params) => Some((route.path, params)),
            _ => None,
        }
    }

    #[test]
    fn paths_lead_where_they_should() {
        let peer = vec!["al ice".to_owned()];
        assert_eq!(route("GET", "/"), Some(("/", Vec::new())));
        assert_eq!(route("HEAD", "/"), Some(("/", Vec::new())));
        assert_eq!(
            route("GET", "/v1/peers/al%20ice/why"),
            Some(("/v1/peers/{peer}/why", peer))
        );
        for wrong in [
            "",
            "v1/node",
            "/v1/peers//why",
            "/v1/node/",
            "/static/../x",
            "/static/%2e%2e",
        ] {
            assert_eq!(route("GET", wrong), None, "{wrong}");
        }
        assert!(route("HEAD", "/v1/events").is_none(), "would never end");
    }

    #[test]
    fn the_rest_of_a_path_stays_as_it_was_sent() {
        let of_ben = |rest: &str| {
            let params = ["ben", "web", rest].map(str::to_owned).to_vec();
            Some(("/v1/peers/{peer}/services/{name}/{path}", params))
        };
        for (method, rest) in [
            ("GET", "/"),
            ("PROPFIND", "/a%2Fb//%ff/.."),
            ("POST", "/v1/node"),
        ] {
            let path = format!("/v1/peers/ben/services/web{rest}");
            assert_eq!(route(method, &path), of_ben(rest));
        }
        let bare = route("GET", "/v1/peers/ben/services/web");
        assert_eq!(bare, of_ben(""), "answered with where it begins");
        assert_eq!(route("GET", "/v1/peers/ben/services"), None);
        assert_eq!(route("GET", "/v1/peers//services/web/"), None);
        assert_eq!(route("GET", "/v1/peers/ben%00/services/web/"), None);
    }

    #[test]
    fn other_methods_are_named() {
        let Some(Found::OtherMethods(methods, _)) = find("GET", "/peers/connect/bob@example")
        else {
            panic!("the path exists");
        };
        assert_eq!(methods, ["POST"]);
    }

    #[test]
    fn the_table_has_no_row_twice_and_reads_never_take_bodies() {
        let mut seen = BTreeSet::new();
        for route in ROUTES {
            assert!(seen.insert((route.method, route.path)), "{route:?} twice");
            assert!(route.about.ends_with('.'), "{route:?} says what it does");
            if route.method == "GET" {
                assert!(matches!(route.body, Body::None), "{route:?}");
            }
            if route.successor.is_none() && route.scope != Scope::Public {
                assert!(route.path.starts_with("/v1/"), "{route:?}");
            }
        }
    }
}
