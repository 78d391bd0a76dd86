//! `p2p request`: one packet out, one packet back.

use core::time::Duration;
use std::io::{IsTerminal as _, Write as _};

use serde_json::json;

use super::content;
use crate::arguments::Request;
use crate::client::{Call, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::escape_lines;
use crate::peer;

/// Runs it; the answer goes to standard output as it is, unless that is a terminal.
pub(super) async fn run(context: &Context, request: Request) -> Result<(), Failure> {
    let body = request
        .body
        .as_deref()
        .map_or_else(|| Ok(bytes::Bytes::new()), content)?;
    let client = context.client()?;
    let id = peer::connected(&client, &request.peer).await?;
    let (service, seconds) = (segment(&request.service), request.timeout);
    let target = format!("/requests/{service}?timeout_ms={}", seconds * 1_000);
    let call = Call::post(peer::path(&id, &target));
    let call = call.bytes(body).timeout(Duration::from_secs(seconds + 10));
    let answer = client.bytes(call).await?;
    let text = core::str::from_utf8(&answer);
    if context.output.json {
        let text = text.ok();
        let hexadecimal = || {
            answer
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect::<String>()
        };
        context.output.value(&json!({
            "peer": id,
            "service": request.service,
            "size_bytes": answer.len(),
            "text": text,
            "data_hex": text.is_none().then(hexadecimal),
        }));
        return Ok(());
    }
    let mut stdout = std::io::stdout().lock();
    if stdout.is_terminal() {
        drop(stdout);
        context
            .output
            .line(escape_lines(&String::from_utf8_lossy(&answer)));
    } else {
        let _ = stdout.write_all(&answer).and_then(|()| stdout.flush());
    }
    Ok(())
}
