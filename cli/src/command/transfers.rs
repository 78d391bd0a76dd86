//! `p2p transfers`: files on their way, and what is done with an offer. Following one to its end is shared with
//! `p2p send` and `p2p recv`.

use core::time::Duration;
use std::time::Instant;

use serde_json::{Value, json};

use crate::client::{Call, Client, segment};
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::file_arguments::{Place, Transfers};
use crate::output::{Progress, Table, Tone, bytes_text, escape};
use crate::peer;

/// Time between two looks at a transfer.
const LOOK: Duration = Duration::from_millis(150);
/// Fewest first characters of an id.
const PREFIX: usize = 4;

/// Runs it.
pub(super) async fn run(context: &Context, action: Option<Transfers>) -> Result<(), Failure> {
    let client = context.client()?;
    match action {
        None => list(context, &client).await,
        Some(Transfers::Accept { id, place }) => {
            let id = find(&client, &id).await?;
            accept(&client, &id, &place).await?;
            follow(context, &client, &id, None).await
        }
        Some(Transfers::Decline { id } | Transfers::Cancel { id }) => {
            let id = find(&client, &id).await?;
            let over = give_up(&client, &id).await?;
            if context.output.json {
                context.output.value(&over);
            }
            Ok(())
        }
    }
}

/// So many files, in words.
fn files_text(count: u64) -> String {
    format!("{count} file{}", if count == 1 { "" } else { "s" })
}

/// The path of a transfer.
fn path(id: &str, rest: &str) -> String {
    format!("/v1/transfers/{}{rest}", segment(id))
}

/// Gives a transfer up, or declines an offer.
pub(super) async fn give_up(client: &Client, id: &str) -> Result<Value, Failure> {
    client.json(Call::post(path(id, "/cancel"))).await
}

/// Takes an offer.
pub(super) async fn accept(client: &Client, id: &str, place: &Place) -> Result<(), Failure> {
    let out = place.out.clone().unwrap_or_else(|| ".".into());
    let out = std::path::absolute(&out)
        .map_err(|e| Failure::usage("The folder cannot be named").because(e))?;
    let Some(out) = out.to_str() else {
        return Err(Failure::usage("The folder's name is not UTF-8"));
    };
    let body = json!({"out": out, "conflict": place.conflict});
    let call = Call::post(path(id, "/accept")).json(&body);
    client.json(call).await.map(drop)
}

/// The id that first characters mean.
async fn find(client: &Client, text: &str) -> Result<String, Failure> {
    let all = client.json(Call::get("/v1/transfers")).await?;
    let items = all["items"].as_array().into_iter().flatten();
    let ids = items.filter_map(|item| item["id"].as_str());
    let fits: Vec<&str> = ids
        .filter(|id| text.len() >= PREFIX && id.starts_with(text))
        .collect();
    match fits.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => {
            let failure = Failure::new(exit::NOT_FOUND, "transfer_not_found", "No such transfer");
            Err(failure.fix("See what there is with: p2p transfers"))
        }
        _ => {
            let failure = Failure::new(exit::CONFLICT, "ambiguous", "More than one transfer fits");
            Err(failure.fix("Give more characters of its id."))
        }
    }
}

async fn list(context: &Context, client: &Client) -> Result<(), Failure> {
    let all = client.json(Call::get("/v1/transfers")).await?;
    let output = &context.output;
    if output.json {
        output.value(&all);
        return Ok(());
    }
    let items = all["items"].as_array().cloned().unwrap_or_default();
    if items.is_empty() {
        output.remark("no transfers; send something with: p2p send FILE --to PEER");
        return Ok(());
    }
    let mut table = Table::new(&["ID", "PEER", "DIR", "STATE", "DONE", "WHAT"]);
    for item in &items {
        let text = |name: &str| escape(item[name].as_str().unwrap_or_default());
        let number = |name: &str| item[name].as_u64().unwrap_or_default();
        let (total, done) = (number("total_bytes"), number("done_bytes"));
        let percent = if total == 0 {
            100
        } else {
            u128::from(done) * 100 / u128::from(total)
        };
        let tone = match item["state"].as_str() {
            Some("done") => Some(Tone::Good),
            Some("failed") => Some(Tone::Bad),
            _ => None,
        };
        let what = format!(
            "{} ({}, {})",
            text("label"),
            files_text(number("files")),
            bytes_text(total)
        );
        table.row(vec![
            (text("id").chars().take(8).collect(), None),
            (peer::name_or_id(item), None),
            (text("direction"), None),
            (text("state"), tone),
            (format!("{percent}%"), None),
            (what, None),
        ]);
    }
    for line in table.lines(output) {
        output.line(line);
    }
    Ok(())
}

/// Shows how far a transfer is until it is over.
///
/// # Errors
/// It did not end well, or not in time.
pub(super) async fn follow(
    context: &Context,
    client: &Client,
    id: &str,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let output = &context.output;
    let (mut progress, begun) = (Progress::new(output), Instant::now());
    let mut last = Value::Null;
    loop {
        let now = client.json(Call::get(path(id, ""))).await?;
        if now != last {
            if output.json {
                output.value(&now);
            }
            last = now;
        }
        show(&mut progress, &last);
        if last["ended_at"].is_string() {
            progress.end();
            return ended(context, &last, begun.elapsed());
        }
        if timeout.is_some_and(|limit| begun.elapsed() >= limit) {
            progress.end();
            let what = "The transfer is not over";
            return Err(Failure::new(exit::TIMEOUT, "not_in_time", what)
                .because("It goes on in the node.")
                .fix(format!(
                    "See how it is with: p2p transfers; give it up with: p2p transfers cancel {id}"
                )));
        }
        smol::Timer::after(LOOK).await;
    }
}

fn show(progress: &mut Progress<'_>, now: &Value) {
    let number = |name: &str| now[name].as_u64().unwrap_or_default();
    let label = escape(now["label"].as_str().unwrap_or_default());
    let (done, total) = (number("done_bytes"), number("total_bytes"));
    let is_there = now["peer_connected"] == true;
    match now["state"].as_str() {
        Some("hashing") => {
            let hashed = number("hashed_bytes");
            progress.at("hashing", &label, hashed, hashed);
        }
        Some("running") if !is_there => progress.at("away", &label, done, total),
        Some("running") if now["direction"] == "out" => progress.at("sending", &label, done, total),
        Some("running") => progress.at("receiving", &label, done, total),
        Some("offered") => progress.at("waiting", &label, done, total),
        _ => {}
    }
}

/// What an ended transfer means for whoever waits for it.
fn ended(context: &Context, end: &Value, took: Duration) -> Result<(), Failure> {
    let output = &context.output;
    let number = |name: &str| end[name].as_u64().unwrap_or_default();
    let who = peer::name_or_id(end);
    let is_out = end["direction"] == "out";
    if !output.json && number("left_out") > 0 {
        output.remark(format!(
            "{} links and devices were not sent",
            number("left_out")
        ));
    }
    match end["state"].as_str() {
        Some("done") => {
            if !output.json {
                let tick = output.paint(Tone::Good, "✓");
                let size = bytes_text(number("total_bytes"));
                let what = format!("{}, {size}", files_text(number("files")));
                let text = if is_out {
                    format!("{tick} {who}'s disk has {what}")
                } else {
                    format!(
                        "{tick} {what} of {who} are in {}",
                        escape(end["out"].as_str().unwrap_or_default())
                    )
                };
                output.line(format!("{text} ({:.1} s)", took.as_secs_f64()));
            }
            Ok(())
        }
        Some("partly") => {
            let names = end["skipped_names"].as_array().into_iter().flatten();
            for name in names.filter_map(Value::as_str) {
                output.remark(format!("left out: {}", escape(name)));
            }
            let what = format!("Left out: {}", files_text(number("skipped")));
            Err(Failure::new(exit::PARTLY, "partly", what)
                .because("Something of their names was there, and such were to be skipped."))
        }
        Some("declined") => Err(Failure::new(
            exit::REFUSED,
            "declined",
            format!("{who} does not want it"),
        )),
        Some("refused") => {
            let what = format!("{who} takes no offers of this node");
            Err(Failure::new(exit::REFUSED, "refused", what)
                .because("A node takes offers of peers that its owner chose.")
                .fix("Ask its owner to run: p2p recv --anyone, or to connect to you once; then send again."))
        }
        Some("cancelled") => Err(Failure::new(
            exit::REFUSED,
            "cancelled",
            "The transfer was given up",
        )),
        _ => Err(failed(end["reason"].as_str().unwrap_or_default(), &who)),
    }
}

fn failed(reason: &str, who: &str) -> Failure {
    let (code, what) = match reason {
        "not_found" => (
            exit::NOT_FOUND,
            "There is nothing to send at a path".to_owned(),
        ),
        "not_sendable" => (
            exit::USAGE,
            "Too many files, or a name that cannot be sent".to_owned(),
        ),
        "source_changed" => (
            exit::INTEGRITY,
            "A file changed while it was sent".to_owned(),
        ),
        "proof_failed" => (
            exit::INTEGRITY,
            format!("What {who} sent is not what it offered"),
        ),
        "hostile_names" => (
            exit::INTEGRITY,
            "The offer has names that no receiver takes".to_owned(),
        ),
        "no_space" => (
            exit::NO_SPACE,
            "The receiver's disk is full, or would be".to_owned(),
        ),
        "forgotten" => (
            exit::UNREACHABLE,
            format!("{who} knows nothing of the transfer any more"),
        ),
        "disk" => (exit::GENERIC, "A disk refused to read or write".to_owned()),
        _ => (exit::GENERIC, format!("{who} broke the rules of transfers")),
    };
    Failure::new(code, reason, what)
}
