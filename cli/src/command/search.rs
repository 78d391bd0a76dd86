//! `p2p search`: registered names that start with a text.

use serde_json::json;

use crate::client::{Call, segment};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Table, escape};
use crate::peer::{fingerprint, short};

/// Runs it; follows the pages up to a sensible number of names.
pub(super) async fn run(
    context: &Context,
    text: &str,
    introducer: Option<String>,
) -> Result<(), Failure> {
    const PAGES: usize = 5;
    let client = context.client()?;
    let mut base = format!("/v1/search?q={}", segment(text));
    if let Some(introducer) = introducer {
        base = format!("{base}&introducer={}", segment(&introducer));
    }
    let mut found = Vec::new();
    let mut target = base.clone();
    let mut more = false;
    for _ in 0..PAGES {
        let page = client.json(Call::get(target)).await?;
        found.extend(page["items"].as_array().into_iter().flatten().cloned());
        more = page["next"].is_string();
        let Some(next) = page["next"].as_str() else {
            break;
        };
        target = format!("{base}&cursor={}", segment(next));
    }
    let output = &context.output;
    if output.json {
        output.value(&json!({"items": found, "more": more}));
        return Ok(());
    }
    if found.is_empty() {
        output.remark(format!(
            "Nobody is registered under a name like {}.",
            escape(text)
        ));
        return Ok(());
    }
    let mut table = Table::new(&["NAME", "PEER", "FINGERPRINT", "INTRODUCER"]);
    for item in &found {
        table.row(vec![
            (escape(item["name"].as_str().unwrap_or("-")), None),
            (short(item["id"].as_str().unwrap_or("?")), None),
            (fingerprint(item), None),
            (short(item["introducer"].as_str().unwrap_or("?")), None),
        ]);
    }
    for line in table.lines(output) {
        output.line(line);
    }
    if more {
        output.remark("There are more; search for a longer text.");
    }
    Ok(())
}
