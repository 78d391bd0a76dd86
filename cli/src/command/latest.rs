//! `p2p latest`: the newest value of a key.

use super::content;
use crate::client::{Call, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::escape;
use crate::peer;

/// Runs it.
pub(super) async fn run(
    context: &Context,
    name: &str,
    key: &str,
    value: Option<String>,
) -> Result<(), Failure> {
    let body = content(value.as_deref().unwrap_or("-"))?;
    let client = context.client()?;
    let id = peer::connected(&client, name).await?;
    let target = peer::path(&id, &format!("/latest/{}", segment(key)));
    let answer = client.json(Call::put(target).bytes(body)).await?;
    if context.output.json {
        context.output.value(&answer);
    } else {
        let key = escape(key);
        context.output.line(format!(
            "{key} is set; it arrives unless a newer value does first"
        ));
    }
    Ok(())
}
