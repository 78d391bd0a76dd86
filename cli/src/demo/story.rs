//! The talk of the demo, step by step, each over the HTTP surface as any application would do it. A step that does
//! not come to its end in time fails the demo.

use core::time::Duration;
use std::time::Instant;

use blake2::{Blake2s256, Digest as _};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};

use super::nodes::{Cast, Running};
use crate::client::{Call, Client, collect, full, segment, within};
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;
use crate::output::{Tone, escape};
use crate::peer::{fingerprint, ms_text, path};

/// How long a step may take.
const STEP: Duration = Duration::from_secs(30);
/// How often a state is looked at that changes by itself.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes that go through the stream.
const STREAM_BYTES: usize = 8 << 20;

/// Tells the story with a fresh cast.
pub(super) async fn tell(context: &Context, cast: &mut Cast) -> Result<(), Failure> {
    let mut teller = Teller {
        context,
        step: 0,
        start: Instant::now(),
    };
    let introducer = cast.start("introducer", 0, None).await?;
    let address = &introducer.ready["introducer_address"];
    let address = address.as_str().unwrap_or_default().to_owned();
    let text = format!("an introducer is up: {address}");
    teller.tell("introducer", &text, json!({"address": address}));
    for (number, name) in [(1, "ada"), (2, "ben")] {
        cast.start(name, number, Some(&address)).await?;
    }
    let (ada, ben) = (cast.node("ada")?, cast.node("ben")?);
    for node in [ada, ben] {
        let state = limited("registration", registered(&node.client)).await?;
        let text = format!("{} is registered with the introducer", node.name);
        teller.tell(
            "registered",
            &text,
            json!({"node": node.name, "introducer": state}),
        );
    }
    let ben_id = limited("search", search(&mut teller, ada)).await?;
    let talk = Talk { ada, ben, ben_id };
    limited("connect", talk.connect(&mut teller)).await?;
    limited("datagram", talk.datagram(&mut teller)).await?;
    limited("request", talk.request(&mut teller)).await?;
    limited("message", talk.message(&mut teller)).await?;
    limited("stream", talk.stream(&mut teller)).await?;
    teller.tell(
        "done",
        "everything that was promised has happened",
        json!({}),
    );
    Ok(())
}

/// Tells each step on one line, with the time since the start.
struct Teller<'a> {
    context: &'a Context,
    step: u32,
    start: Instant,
}

impl Teller<'_> {
    fn tell(&mut self, step: &str, text: &str, facts: Value) {
        self.step += 1;
        let at_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let output = &self.context.output;
        if output.json {
            output.value(&json!({"step": step, "at_ms": at_ms, "facts": facts}));
        } else {
            let time = output.paint(Tone::Faint, &format!("{at_ms:>6} ms"));
            output.line(format!("{time}  {:>2}. {}", self.step, escape(text)));
        }
    }
}

async fn limited<T>(
    step: &str,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    within(STEP, future).await.unwrap_or_else(|| {
        let what = format!("The demo's step \"{step}\" did not come to its end");
        Err(Failure::new(exit::TIMEOUT, "demo_step", what)
            .because(format!("It took longer than {} s.", STEP.as_secs()))
            .fix("P2P_LOG=debug p2p demo shows what the nodes do."))
    })
}

fn wrong(step: &str, why: impl core::fmt::Display) -> Failure {
    let what = format!("The demo's step \"{step}\" went wrong");
    Failure::new(exit::INTEGRITY, "demo_step", what).because(why)
}

async fn registered(client: &Client) -> Result<Value, Failure> {
    loop {
        let node = client.json(Call::get("/v1/node")).await?;
        let introducer = &node["introducers"][0];
        match introducer["state"].as_str() {
            Some("registered") => return Ok(introducer.clone()),
            Some("refused") => return Err(wrong("registration", introducer)),
            _ => smol::Timer::after(LOOK).await,
        };
    }
}

async fn search(teller: &mut Teller<'_>, ada: &Running) -> Result<String, Failure> {
    let found = ada.client.json(Call::get("/v1/search?q=ben")).await?;
    let mut items = found["items"].as_array().into_iter().flatten();
    let ben = items
        .find(|i| i["name"] == "ben")
        .ok_or_else(|| wrong("search", &found))?;
    let id = ben["id"].as_str().unwrap_or_default();
    let short: String = id.chars().take(10).collect();
    let words = fingerprint(ben);
    let text = format!("ada searches for \"ben\" and finds {short}..., in words: {words}");
    teller.tell("search", &text, json!({"id": id}));
    Ok(id.to_owned())
}

/// Two peers who know each other's id.
struct Talk<'a> {
    ada: &'a Running,
    ben: &'a Running,
    ben_id: String,
}

impl Talk<'_> {
    async fn connect(&self, teller: &mut Teller<'_>) -> Result<(), Failure> {
        let (ada, start) = (&self.ada.client, Instant::now());
        let call = Call::post(path(&self.ben_id, "/connect")).json(&json!({}));
        let answer = ada.json(call).await?;
        let ms = milliseconds(start);
        let way = match answer["path"]["kind"].as_str() {
            Some("relay") => "through the relay",
            _ => "directly",
        };
        let text = format!("ada is connected to ben {way} after {ms:.1} ms");
        teller.tell(
            "connected",
            &text,
            json!({"path": answer["path"], "ms": ms}),
        );
        let direct = loop {
            let now = ada.json(Call::get(path(&self.ben_id, "/path"))).await?;
            if now["kind"] == "direct" && now["rtt_ms"].is_number() {
                break now;
            }
            smol::Timer::after(LOOK).await;
        };
        let ms = milliseconds(start);
        let remote = direct["remote"].as_str().unwrap_or_default();
        let rtt = ms_text(&direct["rtt_ms"]);
        let text = format!("the path is direct to {remote} after {ms:.1} ms; round trip {rtt}");
        teller.tell("direct", &text, json!({"path": direct, "ms": ms}));
        Ok(())
    }

    async fn datagram(&self, teller: &mut Teller<'_>) -> Result<(), Failure> {
        for tries in 1.. {
            let body = format!("catch! ({tries})");
            let call = Call::post(path(&self.ben_id, "/datagrams?channel=7"));
            self.ada.client.json(call.bytes(body.into())).await?;
            if let Some(item) = arrived(&self.ben.client, "datagram", 1).await? {
                let content = item["text"].as_str().unwrap_or_default();
                let text = format!("ben got ada's datagram on channel 7: \"{content}\"");
                teller.tell("datagram", &text, json!({"tries": tries}));
                break;
            }
        }
        Ok(())
    }

    async fn request(&self, teller: &mut Teller<'_>) -> Result<(), Failure> {
        const ANSWER: &str = "I am ben.";
        let register = Call::new(Method::PUT, "/v1/services/greeting");
        self.ben
            .client
            .json(register.json(&json!({"deliver": "inbox"})))
            .await?;
        let start = Instant::now();
        let ask = Call::post(path(&self.ben_id, "/requests/greeting"));
        let asked = self.ada.client.bytes(ask.bytes("who are you?".into()));
        let answered = async {
            let item = awaited(&self.ben.client, "request").await?;
            let id = segment(item["id"].as_str().unwrap_or_default());
            let answer = Call::post(format!("/v1/requests/{id}/answer"));
            self.ben.client.bytes(answer.bytes(ANSWER.into())).await
        };
        let (answer, _) = futures_lite::future::try_zip(asked, answered).await?;
        if answer != ANSWER {
            return Err(wrong("request", "The answer is not the one that ben gave."));
        }
        let ms = milliseconds(start);
        let text = format!("ada asks ben's service \"greeting\": \"{ANSWER}\", in {ms:.1} ms");
        teller.tell("request", &text, json!({"ms": ms}));
        Ok(())
    }

    async fn message(&self, teller: &mut Teller<'_>) -> Result<(), Failure> {
        const TEXT: &str = "Hello ben, this is ada. 🦀";
        let start = Instant::now();
        let call = Call::post(path(&self.ben_id, "/messages")).header("prefer", "wait=20");
        let sent = self.ada.client.json(call.bytes(TEXT.into())).await?;
        if sent["state"] != "delivered" {
            return Err(wrong("message", sent));
        }
        let ms = milliseconds(start);
        let item = awaited(&self.ben.client, "message").await?;
        if item["text"] != TEXT {
            return Err(wrong("message", "Ben holds another text than ada sent."));
        }
        let text = format!("ada's message to ben is delivered after {ms:.1} ms: \"{TEXT}\"");
        teller.tell("message", &text, json!({"ms": ms}));
        Ok(())
    }

    /// Ada streams some MiB; ben answers in the other direction of the same stream with their checksum.
    async fn stream(&self, teller: &mut Teller<'_>) -> Result<(), Failure> {
        let data = noise(STREAM_BYTES);
        let expected = checksum(&data);
        let start = Instant::now();
        let call = Call::post(path(&self.ben_id, "/streams"))
            .body(full(data))
            .patient();
        let ask = async { collect(self.ada.client.send(call).await?).await };
        let answer = async {
            let ben = &self.ben.client;
            let item = awaited(ben, "stream").await?;
            let text = |name: &str| item[name].as_str().unwrap_or_default();
            let target = path(
                text("peer"),
                &format!("/streams/{}", segment(text("stream"))),
            );
            let read = ben.bytes(Call::get(target.clone()).patient()).await?;
            let seconds = start.elapsed().as_secs_f64();
            let answer = full(checksum(&read).into());
            ben.bytes(Call::post(target).body(answer).patient()).await?;
            Ok((read.len(), seconds))
        };
        let (answer, (size, seconds)) = futures_lite::future::try_zip(ask, answer).await?;
        if answer != expected {
            let answer = String::from_utf8_lossy(&answer);
            return Err(wrong(
                "stream",
                format!("{expected} was sent, {answer} came back."),
            ));
        }
        let mib = size as f64 / f64::from(1 << 20);
        let rate = mib / seconds;
        let text = format!(
            "ada streams {mib:.0} MiB to ben in {seconds:.2} s ({rate:.0} MiB/s); \
             the checksum that he sends back fits: {}...",
            expected.chars().take(16).collect::<String>(),
        );
        let facts = json!({"bytes": size, "seconds": seconds, "blake2s_256": expected});
        teller.tell("stream", &text, facts);
        Ok(())
    }
}

/// The next item of a kind in an inbox, taken out of it.
async fn arrived(client: &Client, kind: &str, wait_s: u32) -> Result<Option<Value>, Failure> {
    let target = format!("/v1/inbox?type={kind}&limit=1&wait={wait_s}");
    let page = client.json(Call::get(target)).await?;
    let Some(item) = page["items"].get(0).cloned() else {
        return Ok(None);
    };
    let body = json!({"cursor": item["id"], "type": kind});
    client.json(Call::post("/v1/inbox/ack").json(&body)).await?;
    Ok(Some(item))
}

/// The same, however long it takes.
async fn awaited(client: &Client, kind: &str) -> Result<Value, Failure> {
    loop {
        if let Some(item) = arrived(client, kind, 10).await? {
            return Ok(item);
        }
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

fn checksum(data: &[u8]) -> String {
    Blake2s256::digest(data)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// Bytes without a pattern, the same each time (xorshift).
fn noise(len: usize) -> Bytes {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes.into()
}
