//! `p2p send`: files and folders to a peer. It succeeds only with the receipt: the receiver's disk has everything.

use core::time::Duration;

use serde_json::json;

use super::transfers;
use crate::client::Call;
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::file_arguments::Send;
use crate::peer;

/// Runs it.
pub(super) async fn run(context: &Context, send: Send) -> Result<(), Failure> {
    let mut paths = Vec::new();
    for path in &send.paths {
        let shown = path.display();
        let missing = |error: std::io::Error| {
            Failure::new(
                exit::NOT_FOUND,
                "no_such_file",
                format!("Cannot send {shown}"),
            )
            .because(error)
        };
        // Also `.` has a name then.
        let path = std::fs::symlink_metadata(path)
            .and_then(|_| std::path::absolute(path))
            .map_err(missing)?;
        let path = if path.file_name().is_none() || path.ends_with("..") {
            std::fs::canonicalize(&path).map_err(missing)?
        } else {
            path
        };
        let Some(path) = path.to_str() else {
            return Err(Failure::usage(format!("The name of {shown} is not UTF-8")));
        };
        paths.push(path.to_owned());
    }
    let client = context.client()?;
    let id = peer::connected(&client, &send.to).await?;
    let body = json!({"peer": id, "paths": paths});
    let begun = client.json(Call::post("/v1/transfers").json(&body)).await?;
    let transfer = begun["id"].as_str().unwrap_or_default();
    let timeout = send.timeout.map(Duration::from_secs);
    transfers::follow(context, &client, transfer, timeout).await
}
