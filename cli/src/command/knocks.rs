//! `p2p knocks`: strangers that wait for the owner's word.

use hyper::Method;
use serde_json::{Value, json};

use crate::arguments::Knocks;
use crate::client::{Call, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::escape;
use crate::peer::short;

/// Runs it.
pub(super) async fn run(context: &Context, action: Option<Knocks>) -> Result<(), Failure> {
    let client = context.client()?;
    let (call, done) = match action {
        None => {
            let list = client.json(Call::get("/v1/knocks")).await?;
            if context.output.json {
                context.output.value(&list);
            } else {
                lines(&list)
                    .iter()
                    .for_each(|line| context.output.line(line));
            }
            return Ok(());
        }
        Some(Knocks::Accept { peer }) => (
            Call::post(format!("/v1/knocks/{}/accept", segment(&peer))),
            format!("{} may connect from now on", escape(&peer)),
        ),
        Some(Knocks::Dismiss { peer }) => (
            Call::new(Method::DELETE, format!("/v1/knocks/{}", segment(&peer))),
            format!("{} is off the list", escape(&peer)),
        ),
    };
    client.bytes(call).await?;
    if context.output.json {
        context.output.value(&json!({"done": done}));
    } else {
        context.output.line(done);
    }
    Ok(())
}

fn lines(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().cloned().unwrap_or_default();
    if items.is_empty() {
        return vec!["nobody knocked".to_owned()];
    }
    let line = |knock: &Value| {
        let text = |name: &str| escape(knock[name].as_str().unwrap_or("?"));
        let name = knock["claimed_name"].as_str();
        let name = name.map_or("says no name".to_owned(), |n| {
            format!("says it is \"{}\"", escape(n))
        });
        let words = knock["fingerprint"].as_array().cloned().unwrap_or_default();
        let words: Vec<_> = words.iter().filter_map(Value::as_str).map(escape).collect();
        let peer = short(knock["peer"].as_str().unwrap_or("?"));
        format!(
            "{peer}  {name}  last {}  ({})",
            text("last_at"),
            words.join(" ")
        )
    };
    items.iter().map(line).collect()
}
