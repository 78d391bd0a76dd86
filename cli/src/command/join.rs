//! `p2p join`: follows somebody's link.

use core::time::Duration;

use serde_json::{Value, json};

use super::invite::waiting;
use crate::arguments::Join;
use crate::client::{Call, Client};
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::output::escape;
use crate::peer::short;

/// How much longer than the node itself the command waits for its answer.
const GRACE: Duration = Duration::from_secs(10);

/// Runs it.
pub(super) async fn run(context: &Context, join: Join) -> Result<(), Failure> {
    let client = context.client()?;
    let wait = Duration::from_secs(join.timeout);
    let mut body =
        json!({"link": link(&join.link)?, "timeout_ms": join.timeout.saturating_mul(1_000)});
    if let Some(name) = &join.name {
        body["petname"] = json!(name);
    }
    let call = Call::post("/v1/invites/accept").json(&body);
    let answer = client.json(call.timeout(wait + GRACE)).await?;
    let output = &context.output;
    if answer["state"] != "joined" {
        let why = waiting(&answer);
        return Err(Failure::new(exit::TIMEOUT, "join_waiting", "The link is not answered yet")
            .because(format!("{why}{}", refused(&client).await))
            .fix("Nothing more to do: p2p invites shows where it stands, p2p tail tells when it is done."));
    }
    if output.json {
        output.value(&answer);
        return Ok(());
    }
    let id = answer["peer"].as_str().unwrap_or("?");
    match answer["petname"].as_str() {
        Some(name) => {
            let name = escape(name);
            output.line(format!(
                "{name} is your contact now, and you are theirs ({})",
                short(id)
            ));
            output.remark(format!(
                "Write: p2p msg {name} \"hello\". Another name: p2p contacts name {name} NAME"
            ));
        }
        None => {
            output.line(format!(
                "{} is your contact now, and you are theirs",
                short(id)
            ));
            output.remark(format!("Give a name: p2p contacts name {} NAME", short(id)));
        }
    }
    Ok(())
}

/// The link itself; `-` stands for standard input, so that it need not stand in a shell's history.
fn link(text: &str) -> Result<String, Failure> {
    let bytes = super::content(text)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// Introducers that refuse this node, which then nobody finds through them.
async fn refused(client: &Client) -> String {
    let Ok(list) = client.json(Call::get("/v1/introducers")).await else {
        return String::new();
    };
    let items = list["items"].as_array().into_iter().flatten();
    let refused = items.filter(|introducer| introducer["state"] == "refused");
    let line = |introducer: &Value| {
        let address = escape(introducer["address"].as_str().unwrap_or("?"));
        let reason = introducer["reason"].as_str().unwrap_or("no reason");
        format!(
            ". The introducer {address} refuses this node: {}",
            escape(&reason.replace('_', " "))
        )
    };
    refused.map(line).collect()
}
