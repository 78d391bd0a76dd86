//! `p2p connect` and `p2p disconnect`.

use core::time::Duration;

use hyper::Method;
use p2p_core::id::NodeId;
use serde_json::json;

use crate::arguments::Connect;
use crate::client::Call;
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::output::escape;
use crate::peer::{self, name_or_id, path_text};

/// Runs `p2p connect`.
pub(super) async fn run(context: &Context, connect: Connect) -> Result<(), Failure> {
    let client = context.client()?;
    let Connect {
        target,
        introducer,
        timeout,
    } = connect;
    let timeout = Duration::from_secs(timeout);
    let target = resolved(target).await?;
    let answer = peer::connect(&client, &target, introducer.as_deref(), timeout).await?;
    let output = &context.output;
    if output.json {
        output.value(&answer);
        return Ok(());
    }
    let (path, tone) = path_text(&answer["path"]);
    let path = output.paint(tone, &path);
    output.line(format!("connected to {}: {path}", name_or_id(&answer)));
    if answer["path"]["kind"] == "relay" {
        output.remark("A direct path is being tried; watch it with: p2p ping --until-direct PEER");
    }
    Ok(())
}

/// A target `id@host:port` with the host's address; any other as it is.
async fn resolved(target: String) -> Result<String, Failure> {
    let Some((id, place)) = target.split_once('@') else {
        return Ok(target);
    };
    if id.parse::<NodeId>().is_err() || !place.contains(':') {
        return Ok(target);
    }
    let found = smol::net::resolve(place).await;
    match found.ok().and_then(|found| found.into_iter().next()) {
        Some(address) => Ok(format!("{id}@{address}")),
        None => {
            let detail = format!("The address {} could not be found.", escape(place));
            Err(Failure::new(exit::USAGE, "bad_address", &detail))
        }
    }
}

/// Runs `p2p disconnect`.
pub(super) async fn disconnect(context: &Context, name: &str) -> Result<(), Failure> {
    let client = context.client()?;
    let call = Call::new(Method::DELETE, peer::path(name, "/connection"));
    client.bytes(call).await?;
    if context.output.json {
        context.output.value(&json!({"disconnected": name}));
    } else {
        context
            .output
            .line(format!("disconnected from {}", escape(name)));
    }
    Ok(())
}
