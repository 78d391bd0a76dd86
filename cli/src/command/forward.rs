//! `p2p forward`: ports of this machine that lead to TCP services of peers.

use hyper::Method;
use serde_json::{Value, json};

use crate::arguments::Forward;
use crate::client::{Call, Client, segment};
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::output::{Table, Tone, escape};
use crate::peer::{connected, short};

/// Runs it.
pub(super) async fn run(context: &Context, forward: Forward) -> Result<(), Failure> {
    let client = context.client()?;
    match (&forward.to, &forward.remove) {
        (Some(to), _) => open(context, &client, to, &forward).await,
        (None, Some(name)) => remove(context, &client, name).await,
        (None, None) => list(context, &client).await,
    }
}

async fn open(
    context: &Context,
    client: &Client,
    to: &str,
    forward: &Forward,
) -> Result<(), Failure> {
    let Some((peer, service)) = to.rsplit_once('/') else {
        return Err(Failure::usage("PEER/SERVICE has no slash")
            .because("It takes a peer and the name of one of its TCP services")
            .fix("For instance: p2p forward ben/ssh"));
    };
    let default = format!("{service}@{peer}");
    let name = forward.name.as_deref().unwrap_or(&default);
    let mut body = json!({"peer": peer, "service": service});
    if let Some(listen) = &forward.listen {
        body["listen"] = json!(listen);
    }
    let made = match put(client, name, &body).await {
        Err(failure) if failure.exit_code == exit::NOT_FOUND => {
            connected(client, peer).await?;
            put(client, name, &body).await?
        }
        made => made?,
    };
    let output = &context.output;
    if output.json {
        output.value(&made);
        return Ok(());
    }
    let listen = made["listen"].as_str().unwrap_or("?");
    let (service, peer) = (escape(service), escape(peer));
    output.line(format!("{} leads to {service} of {peer}", escape(listen)));
    output.remark(format!(
        "It is there again when the node starts; p2p forward --remove {} closes it.",
        escape(name)
    ));
    Ok(())
}

async fn put(client: &Client, name: &str, body: &Value) -> Result<Value, Failure> {
    client.json(Call::put(path(name)).json(body)).await
}

fn path(name: &str) -> String {
    format!("/v1/forwards/{}", segment(name))
}

async fn remove(context: &Context, client: &Client, name: &str) -> Result<(), Failure> {
    client.bytes(Call::new(Method::DELETE, path(name))).await?;
    let done = format!("{} is closed", escape(name));
    if context.output.json {
        context.output.value(&json!({"done": done}));
    } else {
        context.output.line(done);
    }
    Ok(())
}

async fn list(context: &Context, client: &Client) -> Result<(), Failure> {
    let forwards = client.json(Call::get("/v1/forwards")).await?;
    let output = &context.output;
    if output.json {
        output.value(&forwards);
        return Ok(());
    }
    let mut table = Table::new(&[
        "FORWARD",
        "LISTENS ON",
        "LEADS TO",
        "CONNECTIONS",
        "LAST ERROR",
    ]);
    for forward in forwards["items"].as_array().into_iter().flatten() {
        let text = |field: &str| forward[field].as_str().map(escape).unwrap_or_default();
        let to = format!("{} of {}", text("service"), short(&text("peer")));
        let error = match text("last_error") {
            none if none.is_empty() => ("-".to_owned(), Some(Tone::Faint)),
            error => (error, Some(Tone::Bad)),
        };
        table.row(vec![
            (text("name"), None),
            (text("listen"), None),
            (to, None),
            (forward["connections"].to_string(), None),
            error,
        ]);
    }
    table
        .lines(output)
        .iter()
        .for_each(|line| output.line(line));
    Ok(())
}
