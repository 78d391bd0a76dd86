//! `p2p ui`: a one-time link that logs the web page in.

use std::process::{Command, Stdio};

use serde_json::json;

use super::Context;
use crate::client::{Call, Client};
use crate::failure::Failure;

/// A link to the page with a fresh ticket.
///
/// # Errors
/// The node does not answer, or the token is wrong.
pub(crate) async fn link(client: &Client) -> Result<String, Failure> {
    let answer = client.json(Call::post("/v1/auth/tickets")).await?;
    let ticket = answer["ticket"].as_str().unwrap_or_default();
    Ok(format!("http://{}/#t={ticket}", client.address))
}

/// Runs it.
pub(super) async fn run(context: &Context, no_open: bool) -> Result<(), Failure> {
    let link = link(&context.client()?).await?;
    if context.output.json {
        context.output.value(&json!({"url": link}));
    } else {
        context.output.line(&link);
        context.output.remark("It works once, within 60 seconds.");
    }
    if !no_open && !context.output.json {
        open(&link);
    }
    Ok(())
}

/// Opens a browser where there is one; the link is printed anyway.
fn open(link: &str) {
    let graphical = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else if graphical("DISPLAY") || graphical("WAYLAND_DISPLAY") {
        "xdg-open"
    } else {
        return;
    };
    let mut command = Command::new(opener);
    command
        .arg(link)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Err(e) = command.spawn() {
        log::info!("{opener} does not start: {e}");
    }
}
