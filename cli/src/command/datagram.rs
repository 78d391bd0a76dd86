//! `p2p send-datagram`: one packet, fire and forget.

use super::content;
use crate::arguments::Topic;
use crate::client::Call;
use crate::context::Context;
use crate::failure::Failure;
use crate::peer;

/// Runs it.
pub(super) async fn run(
    context: &Context,
    name: &str,
    text: Option<String>,
    topic: &Topic,
) -> Result<(), Failure> {
    let body = content(text.as_deref().unwrap_or("-"))?;
    let client = context.client()?;
    let id = peer::connected(&client, name).await?;
    let target = peer::path(
        &id,
        &format!("/datagrams?{}", topic.query().unwrap_or_default()),
    );
    let size = body.len();
    let answer = client.json(Call::post(target).bytes(body)).await?;
    if context.output.json {
        context.output.value(&answer);
    } else {
        context.output.line(format!(
            "sent {size} bytes; nobody tells whether they arrive"
        ));
    }
    Ok(())
}
