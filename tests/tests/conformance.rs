//! Both drivers run the same node: one suite over real sockets on loopback, for an introducer of either kind and nodes
//! of either kind. Everything goes through HTTP, as an application would do it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;

use p2p_core::api::Roles;
use p2p_tests::api::{Api, Reply, eventually};
use p2p_tests::nodes::{Folder, Kind, TestNode, Wish, start};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;

/// An introducer and two nodes, ada and ben, that are registered with it.
struct World {
    introducer: TestNode,
    ada: TestNode,
    ben: TestNode,
    _folders: Vec<Folder>,
}

fn node(kind: Kind, folder: &Folder, change: impl FnOnce(&mut Wish)) -> TestNode {
    let mut wish = Wish::new(folder.path());
    change(&mut wish);
    match start(kind, &wish) {
        Ok(node) => node,
        Err(error) => panic!("does not start: {error}"),
    }
}

impl World {
    fn new(introducer: Kind, ada: Kind, ben: Kind) -> Self {
        let folders = vec![Folder::new(), Folder::new(), Folder::new()];
        let introducer = node(introducer, &folders[0], |w| w.roles = Roles::ALL);
        let peer = |kind, name: &str, folder| {
            node(kind, folder, |w| {
                w.name = Some(name.to_owned());
                w.introducers = vec![introducer.introducer_address()];
            })
        };
        let (ada, ben) = (peer(ada, "ada", &folders[1]), peer(ben, "ben", &folders[2]));
        for (name, node) in [("ada", &ada), ("ben", &ben)] {
            eventually(&format!("{name} is registered"), || {
                let list = node.api.get("/v1/introducers").expect(200).json();
                (list["items"][0]["state"] == "registered").then_some(())
            });
        }
        Self {
            introducer,
            ada,
            ben,
            _folders: folders,
        }
    }

    fn connected(introducer: Kind, ada: Kind, ben: Kind) -> Self {
        let world = Self::new(introducer, ada, ben);
        let target = format!("/v1/peers/ben@{}/connect", world.introducer.id);
        let reply = world
            .ada
            .api
            .post_json(&target, &json!({}))
            .expect(200)
            .json();
        assert_eq!(reply["peer"], world.ben.id.to_string());
        world
    }
}

/// The oldest item of a type that `api` was not told of before.
fn next_item(api: &Api, kind: &str) -> Value {
    let target = format!("/v1/inbox?type={kind}&wait=20&limit=1");
    let item = eventually(&format!("a {kind} in the inbox"), || {
        let list = api.get(&target).expect(200).json();
        list["items"].get(0).cloned()
    });
    let ack = json!({"cursor": item["id"], "type": kind});
    let _ = content(api, &item);
    let _ = api.post_json("/v1/inbox/ack", &ack).expect(200);
    item
}

fn content(api: &Api, item: &Value) -> Vec<u8> {
    let id = item["id"].as_str().expect("an id");
    if item["type"] == "stream" {
        return Vec::new();
    }
    api.get(&format!("/v1/inbox/{id}")).expect(200).body
}

fn bytes(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..count).map(next).collect()
}

fn search_and_why(world: &World) {
    let found = world.ada.api.get("/v1/search?q=ben").expect(200).json();
    assert_eq!(found["items"][0]["name"], "ben");
    assert_eq!(found["items"][0]["id"], world.ben.id.to_string());
    let why = format!("/v1/peers/{}/why", world.ben.id);
    eventually("the path is direct", || {
        let why = world.ada.api.get(&why).expect(200).json();
        (why["verdict"] == "direct").then_some(())
    });
    let ping = format!("/v1/peers/{}/ping", world.ben.id);
    let pong = world.ada.api.post(&ping, b"").expect(200).json();
    assert_eq!(pong["lost"], false);
}

fn datagrams(world: &World) {
    let target = format!("/v1/peers/{}/datagrams?channel=7", world.ben.id);
    // At most once: so it may take more than one.
    let item = eventually("a datagram arrives", || {
        let _ = world.ada.api.post(&target, b"hello").expect(202);
        let list = world
            .ben
            .api
            .get("/v1/inbox?type=datagram&wait=1")
            .expect(200);
        list.json()["items"].get(0).cloned()
    });
    assert_eq!(item["text"], "hello");
    assert_eq!(item["channel"], 7);
    assert_eq!(item["peer"], world.ada.id.to_string());
}

fn requests(world: &World) {
    let echo = format!("/v1/peers/{}/requests/echo", world.ben.id);
    for size in [0, 1, 1_024] {
        let body = bytes(size);
        assert_eq!(world.ada.api.post(&echo, &body).expect(200).body, body);
    }
    let none = format!("/v1/peers/{}/requests/nothing", world.ben.id);
    assert_eq!(
        world.ada.api.post(&none, b"").expect(404).json()["code"],
        "no_such_service"
    );
}

/// A local program that is no more than an HTTP server answers a peer; what it says of the request is checked there.
fn webhooks(world: &World) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let offer = |allow: &str| {
        let url = format!("http://localhost:{port}/hook");
        let body = json!({"deliver": "webhook", "url": url, "allow": [allow], "timeout_ms": 2000});
        let put = world.ben.api.call(
            "PUT",
            "/v1/services/hook",
            &[("content-type", "application/json")],
            body.to_string().as_bytes(),
        );
        assert_eq!(put.status, 200);
    };
    let hook = format!("/v1/peers/{}/requests/hook", world.ben.id);
    let ask = || world.ada.api.post(&hook, b"2+2");

    offer(&format!("peer:{}", world.introducer.id));
    assert_eq!(ask().expect(404).json()["code"], "no_such_service");

    offer(&format!("peer:{}", world.ada.id));
    let answers = [
        "200 OK\r\ncontent-length: 1\r\n\r\n4",
        "404 Not Found\r\ncontent-length: 2\r\n\r\nno",
        "302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        "200 OK\r\ncontent-length: 100\r\n\r\ncut",
        "",
    ];
    let large = format!("200 OK\r\ncontent-length: 1025\r\n\r\n{}", "x".repeat(1025));
    let mut said: Vec<String> = answers.iter().map(|a| (*a).to_owned()).collect();
    said.push(large);
    let server = thread::spawn(move || {
        said.iter()
            .map(|a| serve_once(&listener, a))
            .collect::<Vec<_>>()
    });
    assert_eq!(ask().expect(200).body, b"4");
    let failed = ask().expect(502).json();
    assert_eq!(
        (&failed["code"], &failed["answer_status"]),
        (&json!("service_failed"), &json!(404))
    );
    for _ in ["redirect", "cut", "silent"] {
        assert_eq!(ask().expect(502).json()["code"], "service_broken");
    }
    assert_eq!(ask().expect(502).json()["code"], "answer_too_large");
    let heard = server.join().expect("served");
    let first = heard[0].to_lowercase();
    assert!(
        first.starts_with("post /hook http/1.1\r\n") && first.ends_with("\r\n\r\n2+2"),
        "{first}"
    );
    for line in [
        format!("x-p2p-peer-id: {}", world.ada.id),
        "x-p2p-service: hook".to_owned(),
        format!("host: localhost:{port}"),
        "webhook-signature: v1,".to_owned(),
        "content-length: 3".to_owned(),
    ] {
        assert_eq!(
            first.matches(&format!("\r\n{line}")).count(),
            1,
            "{line} in {first}"
        );
    }
    // The listener is gone: nothing was carried out.
    assert_eq!(ask().expect(503).json()["code"], "service_unavailable");
}

/// Takes one request with a body of three bytes and answers with what follows `HTTP/1.1 `.
fn serve_once(listener: &TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().expect("a request");
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    while !heard.ends_with(b"\r\n\r\n2+2") {
        let length = stream.read(&mut piece).expect("a request");
        assert!(length > 0, "a whole request");
        heard.extend_from_slice(&piece[..length]);
    }
    if !answer.is_empty() {
        let _ = stream.write_all(format!("HTTP/1.1 {answer}").as_bytes());
    }
    String::from_utf8_lossy(&heard).into_owned()
}

fn messages(world: &World) {
    let target = format!("/v1/peers/{}/messages?channel=3", world.ben.id);
    let body = bytes(MIB);
    let sent = world
        .ada
        .api
        .call("POST", &target, &[("prefer", "wait=60")], &body);
    assert_eq!(sent.expect(201).json()["state"], "delivered");
    let list = world
        .ben
        .api
        .get("/v1/inbox?type=message&wait=30")
        .expect(200)
        .json();
    let item = &list["items"][0];
    assert_eq!(
        (&item["size_bytes"], &item["channel"]),
        (&MIB.into(), &3.into())
    );
    assert!(content(&world.ben.api, item) == body, "the content differs");
}

fn streams(world: &World) {
    let target = format!("/v1/peers/{}/streams?channel=5", world.ben.id);
    let call = world.ada.api.begin("POST", &target);
    let body = bytes(10 * MIB);
    let sent = body.clone();
    let mut hand = call.writer();
    let upload = thread::spawn(move || {
        sent.chunks(100_000)
            .try_for_each(|piece| hand.write(piece))?;
        hand.finish()
    });
    let item = next_item(&world.ben.api, "stream");
    assert_eq!(item["channel"], 5);
    let stream = item["stream"].as_str().expect("a stream id");
    let far = format!("/v1/peers/{}/streams/{stream}", world.ada.id);
    let received = world.ben.api.get(&far).expect(200).body;
    assert!(
        received == body,
        "{} bytes of {}",
        received.len(),
        body.len()
    );
    upload.join().expect("no panic").expect("taken");
    // That half is closed; the other still goes, and has ended well once it is read to its end.
    let reading = thread::spawn(move || {
        let mut response = call.response().expect("a response");
        assert_eq!(response.status, 200);
        let mut answer = Vec::new();
        response.read_to_end(&mut answer).expect("to the end");
        answer
    });
    let thanks = world.ben.api.post(&far, b"thank you").expect(200).json();
    assert_eq!(thanks["written_bytes"], 9);
    assert_eq!(reading.join().expect("no panic"), b"thank you");
    let mut call = world.ada.api.begin("POST", &target);
    call.write(&bytes(100_000)).expect("taken");
    let item = next_item(&world.ben.api, "stream");
    let stream = item["stream"].as_str().expect("a stream id");
    let far = format!("/v1/peers/{}/streams/{stream}", world.ada.id);
    let begun = world.ben.api.follow(&far);
    call.vanish();
    // Depending on when word of it comes, the stream is gone already or breaks off; never does it end well.
    let whole = begun
        .response()
        .is_ok_and(|mut r| r.status == 200 && r.read_to_end(&mut Vec::new()).is_ok());
    assert!(!whole, "a stream that was given up looks whole");
}

fn events(world: &World) {
    let call = world.ben.api.follow("/v1/events?types=datagram");
    let mut response = call.response().expect("a response");
    let kind = response.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/event-stream"), "{kind}");
    let target = format!("/v1/peers/{}/datagrams?channel=9", world.ben.id);
    let api = world.ada.api.clone();
    let sender = thread::spawn(move || {
        for _ in 0..40 {
            let _ = api.post(&target, b"live").expect(202);
            thread::sleep(std::time::Duration::from_millis(50));
        }
    });
    let mut text = String::new();
    while !text.contains("\"live\"") {
        let mut piece = [0; 4_096];
        let length = response.read(&mut piece).expect("an event");
        assert!(length > 0, "the events ended: {text}");
        text.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    sender.join().expect("no panic");
}

fn locks(api: &Api) {
    let status = |headers: &[(&str, &str)]| api.call("GET", "/v1/node", headers, b"").status;
    assert_eq!(status(&[]), 200);
    assert_eq!(status(&[("authorization", "")]), 401);
    assert_eq!(status(&[("authorization", "Bearer wrong")]), 401);
    let foreign: Vec<Reply> = [("host", "evil.example"), ("origin", "http://evil.example")]
        .iter()
        .map(|header| api.call("GET", "/v1/node", &[*header], b""))
        .collect();
    assert!(
        foreign.iter().all(|r| (400..500).contains(&r.status)),
        "{foreign:?}"
    );
    assert_eq!(api.get("/v1/nothing").status, 404);
}

fn all_levels(introducer: Kind, ada: Kind, ben: Kind) {
    let world = World::connected(introducer, ada, ben);
    search_and_why(&world);
    datagrams(&world);
    requests(&world);
    webhooks(&world);
    messages(&world);
    streams(&world);
    events(&world);
    locks(&world.ada.api);
}

#[test]
fn all_levels_work_between_smol_nodes() {
    all_levels(Kind::Smol, Kind::Smol, Kind::Smol);
}

#[test]
fn all_levels_work_between_thread_nodes() {
    all_levels(Kind::Threads, Kind::Threads, Kind::Threads);
}

#[test]
fn all_levels_work_from_smol_to_threads() {
    all_levels(Kind::Threads, Kind::Smol, Kind::Threads);
}

#[test]
fn all_levels_work_from_threads_to_smol() {
    all_levels(Kind::Smol, Kind::Threads, Kind::Smol);
}

fn for_both(test: impl Fn(Kind)) {
    test(Kind::Smol);
    test(Kind::Threads);
}

#[test]
fn a_restart_keeps_the_identity_and_the_token() {
    for_both(|kind| {
        let folder = Folder::new();
        let first = node(kind, &folder, |_| {});
        let (id, token) = (first.id, first.api.token.clone());
        drop(first);
        let second = node(kind, &folder, |_| {});
        assert_eq!((second.id, &second.api.token), (id, &token));
    });
}

#[test]
fn what_is_taken_is_refused_with_a_fix() {
    for_both(|kind| {
        let (folder, other) = (Folder::new(), Folder::new());
        let first = node(kind, &folder, |_| {});
        let mut wish = Wish::new(folder.path());
        let error = start(kind, &wish).err().expect("the directory is in use");
        assert!(
            error.contains("uses it") && error.contains("--state-dir"),
            "{error}"
        );
        wish.state_dir = other.path().to_owned();
        wish.listen = first.udp;
        let error = start(kind, &wish).err().expect("the UDP port is taken");
        assert!(
            error.contains("uses it") && error.contains("--listen"),
            "{error}"
        );
        wish.listen.set_port(0);
        wish.http = first.api.address;
        let error = start(kind, &wish).err().expect("the HTTP port is taken");
        assert!(
            error.contains("uses it") && error.contains("--http"),
            "{error}"
        );
        wish.http = "0.0.0.0:0".parse().expect("an address");
        let error = start(kind, &wish).err().expect("not loopback");
        assert!(error.contains("this machine only"), "{error}");
    });
}

#[test]
fn the_ticket_in_the_page_address_logs_in_once() {
    for_both(|kind| {
        let folder = Folder::new();
        let node = node(kind, &folder, |_| {});
        let (_, ticket) = node.page_url.split_once("#t=").expect("a ticket");
        let body = json!({"ticket": ticket});
        let log_in = || node.api.post_json("/v1/auth/login", &body).status;
        assert_eq!(log_in(), 200);
        assert_eq!(log_in(), 401);
    });
}

#[test]
fn garbage_does_not_disturb_an_introducer() {
    for_both(|kind| {
        let folder = Folder::new();
        let introducer = node(kind, &folder, |w| w.roles = Roles::ALL);
        let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("binds");
        let noise = bytes(2_000);
        for length in (0..2_000).step_by(13) {
            socket
                .send_to(&noise[..length], introducer.udp)
                .expect("sent");
        }
        eventually("the introducer counts what it dropped", || {
            let node = introducer.api.get("/v1/node").expect(200).json();
            let received = node["counters"]["datagrams_received"].as_u64()?;
            (received > 0).then_some(())
        });
    });
}

#[test]
fn requests_that_are_no_http_do_not_disturb_a_node() {
    for_both(|kind| {
        let folder = Folder::new();
        let node = node(kind, &folder, |_| {});
        for text in [
            "\r\n\r\n",
            "GET\r\n\r\n",
            "\u{0}\u{1}\u{2}\r\n\r\n",
            "GET / HTTP/1.1\r\nx",
        ] {
            let mut stream = TcpStream::connect(node.api.address).expect("connects");
            stream.write_all(text.as_bytes()).expect("taken");
        }
        let _ = node.api.get("/healthz").expect(200);
    });
}

#[test]
fn what_a_node_was_told_is_shown() {
    for kind in [Kind::Smol, Kind::Threads] {
        let folder = Folder::new();
        let ada = node(kind, &folder, |w| w.name = Some("ada".to_owned()));
        let shown = ada.api.get("/v1/settings").expect(200).json();
        let settings = shown["settings"].as_object().expect("an object");
        assert_eq!(settings["name"], "ada");
        assert_eq!(settings["congestion"], "cubic");
        assert_eq!(settings["strangers"], "public");
        assert_eq!(settings["listed"], true, "a switch is a boolean");
        assert_eq!(
            settings["relay_bytes_per_s"],
            1 << 20,
            "an amount is a number"
        );
        assert!(
            settings["listen"]
                .as_str()
                .is_some_and(|l| l.starts_with("127.0.0.1"))
        );
        assert!(!settings.contains_key("record"), "not set: {settings:?}");
        assert!(!shown.to_string().contains(&ada.api.token), "a secret");
    }
}
