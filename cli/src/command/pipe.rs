//! `p2p pipe`: standard input goes into a stream, what comes out of it goes to standard output, both at once. One
//! side opens it (`p2p pipe bob < file`), the other takes it (`p2p pipe --listen > file`). Each direction ends by
//! itself; where standard input is a terminal, the end of the peer's direction ends the command.
//!
//! It succeeds only where the other application has said that it has written everything out, and says so itself only
//! once it has; what cannot be written out is given up with word to the sender.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Incoming;
use serde_json::json;

use crate::arguments::Pipe;
use crate::client::{BodySender, Call, Client, segment, streaming};
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::output::{escape, escape_lines};
use crate::peer;

/// Bytes read from standard input at once.
const CHUNK_BYTES: usize = 64 << 10;
/// Seconds that one look into the inbox may wait.
const POLL_S: u64 = 50;

/// Runs it.
pub(super) async fn run(context: &Context, pipe: Pipe) -> Result<(), Failure> {
    let client = context.client()?;
    if pipe.listen {
        return listen(context, &client, &pipe).await;
    }
    let name = pipe.peer.as_deref().unwrap_or_default();
    let id = peer::connected(&client, name).await?;
    let (sender, body) = streaming();
    let topic = pipe.topic.query().unwrap_or_default();
    // A person who types does not know that the other side has ended.
    let types = std::io::stdin().is_terminal() && !pipe.no_stdin;
    let until = if types { "peer" } else { "both" };
    let target = format!("/streams?confirm=1&until={until}&{topic}");
    let call = Call::post(peer::path(&id, target.trim_end_matches('&')));
    let feeding = feed(sender, pipe.no_stdin);
    let exchange = client.duplex(call.body(body)).await;
    // The other side may end it before the node's answer is read.
    let mut exchange = exchange.map_err(|e| match e.code.as_str() {
        "broken_off" => broken(&e.why),
        _ => e,
    })?;
    let name = escape(name);
    context.output.remark(format!("stream to {name} is open"));
    let target = peer::path(&id, &format!("/streams/{}", segment(&exchange.stream)));
    drain(&client, &target, &mut exchange.body).await?;
    if types { Ok(()) } else { feeding.whole() }
}

/// Takes the next stream that comes in: one request reads it, another one writes.
async fn listen(context: &Context, client: &Client, pipe: &Pipe) -> Result<(), Failure> {
    let (id, stream, from) = next_stream(context, client, pipe).await?;
    context.output.remark(format!("stream from {from}"));
    let target = peer::path(&id, &format!("/streams/{}", segment(&stream)));
    let (sender, body) = streaming();
    let write = client.send(Call::post(target.clone()).body(body).patient());
    let feeding = feed(sender, pipe.no_stdin);
    let read = async {
        let call = Call::get(format!("{target}?confirm=1"));
        let response = client.send(call.patient()).await?;
        drain(client, &target, &mut response.into_body()).await
    };
    if std::io::stdin().is_terminal() && !pipe.no_stdin {
        // A person who types does not know that the other side has ended.
        let write = async {
            write.await?;
            futures_lite::future::pending().await
        };
        return futures_lite::future::or(read, write).await;
    }
    // Giving a stream up breaks both directions; what went wrong with the reading tells more.
    let (write, read) = futures_lite::future::zip(write, read).await;
    read?;
    write?;
    feeding.whole()
}

/// Waits for a stream in the inbox and takes it out: its peer, its id, whose it is.
async fn next_stream(
    context: &Context,
    client: &Client,
    pipe: &Pipe,
) -> Result<(String, String, String), Failure> {
    let topic = pipe.topic.query();
    let topic = topic.map_or(String::new(), |topic| format!("&{topic}"));
    let mut since = String::new();
    context.output.remark("waiting for a stream");
    loop {
        let target = format!("/v1/inbox?type=stream&limit=1&wait={POLL_S}{topic}{since}");
        let page = client.json(Call::get(target).patient()).await?;
        let Some(item) = page["items"].get(0) else {
            continue;
        };
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let (id, item_id) = (text("peer"), text("id"));
        since = format!("&since={}", segment(&item_id));
        let wanted = pipe.peer.as_deref().is_none_or(|p| {
            let is_name = text("name") == p && !peer::is_claim(item);
            is_name || id == p || p.len() >= 8 && id.starts_with(p)
        });
        if !wanted {
            if peer::is_claim(item) {
                let who = peer::name_or_id(item);
                context
                    .output
                    .remark(format!("a stream of {who} is left alone"));
            }
            continue;
        }
        let body = json!({"cursor": item_id, "type": "stream"});
        client.json(Call::post("/v1/inbox/ack").json(&body)).await?;
        return Ok((id, text("stream"), peer::name_or_id(item)));
    }
}

/// What came of reading standard input.
#[derive(Clone, Default)]
struct Feeding {
    cut: Arc<AtomicBool>,
}

impl Feeding {
    /// Whether everything was taken that was read.
    fn whole(&self) -> Result<(), Failure> {
        if !self.cut.load(Ordering::Acquire) {
            return Ok(());
        }
        let what = "The other side stopped reading";
        Err(Failure::new(exit::UNREACHABLE, "broken_off", what)
            .because("Standard input had more to send.")
            .fix("Agree with the peer on how much it takes, or send again."))
    }
}

/// Reads standard input into a request body, on a thread of its own because such reads cannot be taken back.
fn feed(sender: BodySender, nothing: bool) -> Feeding {
    let feeding = Feeding::default();
    if nothing {
        return feeding;
    }
    let told = feeding.clone();
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    let chunk = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
                    if sender.send_blocking(Ok(chunk)).is_err() {
                        told.cut.store(true, Ordering::Release);
                        return;
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    log::warn!("standard input cannot be read: {e}");
                    // Breaks off: what was sent must not pass for all of it.
                    let _ = sender.send_blocking(Err(e));
                    return;
                }
            }
        }
    });
    feeding
}

/// Writes what comes of a stream to standard output and tells its sender how that ended.
async fn drain(client: &Client, target: &str, body: &mut Incoming) -> Result<(), Failure> {
    let written = write_out(body).await;
    let told = match &written {
        Ok(()) => client.json(Call::post(format!("{target}/taken"))).await,
        Err(_) => client.json(Call::new(Method::DELETE, target)).await,
    };
    written?;
    told.map(drop)
}

fn broken(why: &str) -> Failure {
    Failure::new(exit::UNREACHABLE, "broken_off", "The stream broke off")
        .because(why)
        .fix("What arrived so far, here or there, is not complete; connect and send again.")
}

/// Writes an answer's body to standard output as it comes; what a terminal would obey is escaped.
async fn write_out(body: &mut Incoming) -> Result<(), Failure> {
    let terminal = std::io::stdout().is_terminal();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| broken(&e.to_string()))?;
        let chunk = frame.into_data().unwrap_or_default();
        let written = smol::unblock(move || {
            let mut stdout = std::io::stdout().lock();
            let text = terminal.then(|| escape_lines(&String::from_utf8_lossy(&chunk)));
            stdout.write_all(text.as_ref().map_or(&chunk[..], |t| t.as_bytes()))?;
            stdout.flush()
        });
        written.await.map_err(|e| {
            Failure::new(
                exit::GENERIC,
                "output_failed",
                "Standard output cannot be written",
            )
            .because(e)
            .fix("Make room, or give it a place that takes everything, then send again.")
        })?;
    }
    Ok(())
}
