//! `p2p ui`: a one-time link that logs the web page in.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;

/// Runs it.
pub(super) async fn run(context: &Context, no_open: bool) -> Result<(), Failure> {
    let link = context.client()?.page_link().await?;
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
