//! `p2p settings`: how the node is set up; secrets are not among it.

use serde_json::Value;

use crate::client::Call;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::escape;

/// Runs it.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let settings = context.client()?.json(Call::get("/v1/settings")).await?;
    if context.output.json {
        context.output.value(&settings);
        return Ok(());
    }
    for line in lines("", &settings) {
        context.output.line(line);
    }
    Ok(())
}

/// `name = value` for each leaf, names joined by dots.
fn lines(prefix: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let name = |n: &str| {
                if prefix.is_empty() {
                    n.to_owned()
                } else {
                    format!("{prefix}.{n}")
                }
            };
            members
                .iter()
                .flat_map(|(n, v)| lines(&name(&escape(n)), v))
                .collect()
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain).collect();
            vec![format!(
                "{prefix} = {}",
                if items.is_empty() {
                    "-".to_owned()
                } else {
                    items.join(", ")
                }
            )]
        }
        leaf => vec![format!("{prefix} = {}", plain(leaf))],
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => escape(text),
        other => escape(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_become_lines() {
        let settings =
            serde_json::json!({"limits": {"a": 1}, "name": null, "roles": ["relay", "stun"]});
        assert_eq!(
            lines("", &settings),
            ["limits.a = 1", "name = -", "roles = relay, stun"]
        );
    }
}
