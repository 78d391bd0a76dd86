//! `p2p services`: what this node offers to peers, and whom it offers it to.

use hyper::Method;
use p2p_core::id::NodeId;
use serde_json::{Value, json};

use crate::arguments::Services;
use crate::client::{Call, Client, segment};
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::output::{Table, escape};
use crate::peer::{connected, short};

/// Runs it.
pub(super) async fn run(context: &Context, action: Option<Services>) -> Result<(), Failure> {
    let client = context.client()?;
    let Some(action) = action else {
        return list(context, &client).await;
    };
    let (name, body, done) = match action {
        Services::Http { name, url, allow } => {
            let body =
                json!({"deliver": "http", "target": url, "allow": terms(&client, &allow).await?});
            let done = format!(
                "{} leads to {}, for {}; peers' programs find it at their nodes, below \
                 /v1/peers/{{this node}}/services/{0}/",
                escape(&name),
                escape(&url),
                whom(&allow)
            );
            (name, body, done)
        }
        Services::Tcp {
            name,
            target,
            allow,
        } => {
            let body =
                json!({"deliver": "tcp", "target": target, "allow": terms(&client, &allow).await?});
            let done = format!(
                "{} leads to {}, for {}; peers reach it with: p2p forward PEER/{0}",
                escape(&name),
                escape(&target),
                whom(&allow)
            );
            (name, body, done)
        }
        Services::Webhook { name, url, allow } => {
            let body =
                json!({"deliver": "webhook", "url": url, "allow": terms(&client, &allow).await?});
            let done = format!(
                "requests for {} go to {}, for {}",
                escape(&name),
                escape(&url),
                whom(&allow)
            );
            (name, body, done)
        }
        Services::Inbox { name } => {
            let done = format!(
                "requests for {} wait in the inbox; see p2p tail",
                escape(&name)
            );
            (name, json!({"deliver": "inbox"}), done)
        }
        Services::Remove { name } => return remove(context, &client, &name).await,
    };
    let call = Call::put(path(&name)).json(&body);
    let service = client.json(call).await?;
    let output = &context.output;
    if output.json {
        output.value(&service);
        return Ok(());
    }
    output.line(done);
    if let Some(secret) = service["secret"].as_str() {
        output.line(format!("secret of its signatures: {}", escape(secret)));
    }
    Ok(())
}

fn path(name: &str) -> String {
    format!("/v1/services/{}", segment(name))
}

async fn remove(context: &Context, client: &Client, name: &str) -> Result<(), Failure> {
    client.bytes(Call::new(Method::DELETE, path(name))).await?;
    let done = format!("{} is offered no more", escape(name));
    if context.output.json {
        context.output.value(&json!({"done": done}));
    } else {
        context.output.line(done);
    }
    Ok(())
}

/// The list as the node takes it: on the command line a peer is its name or id alone.
async fn terms(client: &Client, allow: &[String]) -> Result<Vec<String>, Failure> {
    let mut terms = Vec::new();
    for who in allow {
        terms.push(match who.as_str() {
            "anyone" => who.clone(),
            peer => format!("peer:{}", id_of(client, peer).await?),
        });
    }
    Ok(terms)
}

/// Whom a text means: somebody known, who may be offline, or else whoever is connected to under that name.
async fn id_of(client: &Client, peer: &str) -> Result<String, Failure> {
    if peer.parse::<NodeId>().is_ok() {
        return Ok(peer.to_owned());
    }
    let contact = Call::get(format!("/v1/contacts/{}", segment(peer)));
    match client.json(contact).await {
        Ok(contact) => Ok(contact["id"].as_str().unwrap_or(peer).to_owned()),
        Err(failure) if failure.exit_code == exit::NOT_FOUND => connected(client, peer).await,
        Err(failure) => Err(failure),
    }
}

fn whom(allow: &[String]) -> String {
    escape(&allow.join(", "))
}

async fn list(context: &Context, client: &Client) -> Result<(), Failure> {
    let services = client.json(Call::get("/v1/services")).await?;
    let output = &context.output;
    if output.json {
        output.value(&services);
        return Ok(());
    }
    let mut table = Table::new(&["SERVICE", "DELIVERED TO", "FOR"]);
    for service in services["items"].as_array().into_iter().flatten() {
        let text = |field: &str| service[field].as_str().map(escape);
        let place = text("target").or_else(|| text("url"));
        let kind = text("deliver").unwrap_or_else(|| "the node itself".to_owned());
        let allow = service["allow"].as_array().map(|list| allowed(list));
        table.row(vec![
            (text("name").unwrap_or_default(), None),
            (
                place.map_or(kind.clone(), |place| format!("{kind} {place}")),
                None,
            ),
            (allow.unwrap_or_else(|| "anyone".to_owned()), None),
        ]);
    }
    table
        .lines(output)
        .iter()
        .for_each(|line| output.line(line));
    Ok(())
}

/// Those on a list in few words.
fn allowed(list: &[Value]) -> String {
    let word = |term: &Value| match term.as_str().unwrap_or("?").strip_prefix("peer:") {
        Some(id) => short(id),
        None => escape(term.as_str().unwrap_or("?")),
    };
    match list {
        [] => "nobody".to_owned(),
        list => list.iter().map(word).collect::<Vec<_>>().join(", "),
    }
}
