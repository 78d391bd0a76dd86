//! `p2p contacts`: whom the owner of this node knows, what they are called here, and of whom nothing is wanted.

use hyper::Method;
use serde_json::{Value, json};

use crate::arguments::Contacts;
use crate::client::{Call, Client, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Table, Tone, escape};
use crate::peer::short;

/// Runs it.
pub(super) async fn run(context: &Context, action: Option<Contacts>) -> Result<(), Failure> {
    let client = context.client()?;
    let Some(action) = action else {
        return list(context, &client).await;
    };
    let path = |peer: &str, rest: &str| format!("/v1/contacts/{}{rest}", segment(peer));
    let put = |peer: &str, body: &Value| Call::new(Method::PUT, path(peer, "")).json(body);
    let (call, done) = match action {
        Contacts::Name { peer, petname } => {
            let done = match petname.as_str() {
                "" => format!("{} has no name of yours any more", escape(&peer)),
                name => format!("{} is \"{}\" to you", escape(&peer), escape(name)),
            };
            (put(&peer, &json!({"petname": petname})), done)
        }
        Contacts::Verify { peer } => (
            put(&peer, &json!({"trust": "verified"})),
            format!("{} is verified: you compared the words", escape(&peer)),
        ),
        Contacts::Block { peer } => (
            Call::post(path(&peer, "/block")),
            format!("{} is blocked", escape(&peer)),
        ),
        Contacts::Unblock { peer } => (
            Call::post(path(&peer, "/unblock")),
            format!("{} is not blocked any more", escape(&peer)),
        ),
        Contacts::Forget { peer } => (
            Call::new(Method::DELETE, path(&peer, "")),
            format!(
                "{} is forgotten; the next time you look that name up, whoever answers is taken",
                escape(&peer)
            ),
        ),
        Contacts::Rebind { name, id } => {
            let Some((name, introducer)) = name.rsplit_once('@') else {
                let what = "say whose name it is where: NAME@INTRODUCER";
                return Err(Failure::usage(what));
            };
            let body = json!({"name": name, "introducer": introducer});
            let done = format!("{} is {} from now on", escape(name), short(&id));
            (Call::post(path(&id, "/names")).json(&body), done)
        }
    };
    client.bytes(call).await?;
    if context.output.json {
        context.output.value(&json!({"done": done}));
    } else {
        context.output.line(done);
    }
    Ok(())
}

async fn list(context: &Context, client: &Client) -> Result<(), Failure> {
    let mut contacts = Vec::new();
    let mut target = "/v1/contacts?limit=500".to_owned();
    loop {
        let page = client.json(Call::get(target)).await?;
        contacts.extend(page["items"].as_array().into_iter().flatten().cloned());
        match page["next"].as_str() {
            Some(next) => target = format!("/v1/contacts?limit=500&cursor={}", segment(next)),
            None => break,
        }
    }
    let output = &context.output;
    if output.json {
        output.value(&json!({"items": contacts}));
    } else if contacts.is_empty() {
        output.line("No contacts yet. Whoever you connect to by name becomes one.");
        output.line("Name somebody yourself with: p2p contacts name ID NAME");
    } else {
        table(&contacts)
            .lines(output)
            .iter()
            .for_each(|line| output.line(line));
    }
    Ok(())
}

fn table(contacts: &[Value]) -> Table {
    let mut table = Table::new(&["PEER", "NAME", "TRUST", "FOUND AS"]);
    for contact in contacts {
        let names = contact["names"].as_array().into_iter().flatten();
        let names: Vec<String> = names.map(found_as).collect();
        let (trust, tone) = match (contact["blocked"].as_bool(), contact["trust"].as_str()) {
            (Some(true), _) => ("blocked".to_owned(), Tone::Faint),
            (_, Some("verified" | "attested")) => ("verified".to_owned(), Tone::Good),
            (_, trust) => (escape(trust.unwrap_or("-")), Tone::Fair),
        };
        table.row(vec![
            (short(contact["id"].as_str().unwrap_or("?")), None),
            (
                contact["petname"].as_str().map_or("-".to_owned(), escape),
                None,
            ),
            (trust, Some(tone)),
            (
                if names.is_empty() {
                    "-".to_owned()
                } else {
                    names.join(", ")
                },
                None,
            ),
        ]);
    }
    table
}

fn found_as(name: &Value) -> String {
    let introducer = short(name["introducer"].as_str().unwrap_or("?"));
    let text = format!(
        "{}@{introducer}",
        escape(name["name"].as_str().unwrap_or("?"))
    );
    match name["refused"].as_str() {
        Some(refused) => format!("{text} (now says {}: refused)", short(refused)),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_name_shows_who_was_offered() {
        let name = json!({"name": "ada", "introducer": "ybndrfg8ejkm", "refused": "ejkmcpqxot1u"});
        assert_eq!(
            found_as(&name),
            "ada@ybndrfg8ej (now says ejkmcpqxot: refused)"
        );
    }
}
