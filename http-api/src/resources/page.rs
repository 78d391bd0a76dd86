//! The web page, the description of this surface, and its viewer.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::call::Call;
use crate::page::File;
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply};
use crate::state::Turn;

/// `GET /`
pub(crate) fn index(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    serve(turn, call, "index.html")
}

/// `GET /static/{file}`
pub(crate) fn file(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    serve(turn, call, call.param(0))
}

/// `GET /docs`
pub(crate) fn docs(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    serve(turn, call, "docs.html")
}

/// `GET /docs/errors`
pub(crate) fn errors(_turn: &mut Turn<'_>, _call: &Call) -> Result<Reply, Problem> {
    let mut html = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Errors · p2p</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"icon\" href=\"/static/icon.svg\"><link rel=\"stylesheet\" href=\"/static/app.css\">\
         <main class=\"prose\"><p><a href=\"/\">← Node</a></p><h1>Error codes</h1>",
    );
    for code in Code::ALL {
        let row = code.row();
        let _ = write!(
            html,
            "<section id=\"{0}\"><h2><code>{0}</code></h2><p>{1} {2}. {3}</p></section>",
            row.text,
            row.status,
            row.title,
            row.hint.replace('{', "&#123;").replace('"', "&quot;"),
        );
    }
    html.push_str("</main></html>");
    Ok(Full::bytes(200, "text/html; charset=utf-8", Bytes::from(html)).into())
}

/// `GET /v1/openapi.json`
pub(crate) fn openapi(turn: &mut Turn<'_>, _call: &Call) -> Result<Reply, Problem> {
    let document = (turn.state.describe)(&turn.state.version);
    Ok(Full::json(200, &document).into())
}

fn serve(turn: &Turn<'_>, call: &Call, name: &str) -> Result<Reply, Problem> {
    let Some(file) = turn.state.page.file(name) else {
        return Err(Problem::new(Code::NotFound, "There is no such file."));
    };
    let File {
        content_type,
        etag,
        body,
    } = file.clone();
    let known = call.request.header("if-none-match").unwrap_or_default();
    let full = if known.split(',').any(|tag| tag.trim() == etag) {
        Full::empty(304)
    } else {
        Full::bytes(200, content_type, body)
    };
    let full = full
        .with_header("etag", etag)
        .with_header("cache-control", "no-cache");
    Ok(full.into())
}
