//! Web applications of peers through both drivers, over real sockets: what a program gets through the network is what
//! it would get directly, and what breaks is never taken for whole.

use std::io::Read as _;
use std::sync::atomic::Ordering;

use p2p_tests::api::{Reply, eventually};
use p2p_tests::nodes::Kind;
use p2p_tests::pair::{Pair, for_all, put};
use p2p_tests::site::{Site, sum};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;

/// Ada asks, ben has a web site.
struct World {
    pair: Pair,
    site: Site,
}

fn file() -> Vec<u8> {
    (0..64 * MIB as u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

impl World {
    fn new(ada: Kind, ben: Kind, file: Vec<u8>) -> Self {
        let (pair, site) = (Pair::new(ada, ben), Site::start(file));
        let target = format!("http://{}", site.address);
        pair.offer("web", json!({"deliver": "http", "target": target}));
        Self { pair, site }
    }

    fn target(&self, path: &str) -> String {
        format!("/v1/peers/{}/services/web{path}", self.pair.ben_id())
    }

    fn get(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.pair
            .ada
            .api
            .call(method, &self.target(path), headers, body)
    }
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let fields = reply.headers.iter().find(|(n, _)| n == name);
    fields.map(|(_, v)| v.as_str())
}

#[test]
fn a_site_of_a_peer_is_what_it_is_directly() {
    for_all(|ada, ben| {
        let file = file();
        let world = World::new(ada, ben, file.clone());
        let list = world.get("GET", "/list", &[], b"").expect(200);
        assert_eq!(list.body, b"file\n");
        assert_eq!(header(&list, "x-name"), Some("caf\u{e9}"));
        assert_eq!(
            header(&list, "x-p2p-problem"),
            None,
            "only a node may say so"
        );
        let seen = world.site.last();
        let asked = |name: &str| {
            let fields = seen.headers.iter().filter(|(n, _)| n == name);
            fields.map(|(_, v)| v.clone()).collect::<Vec<_>>()
        };
        assert_eq!(asked("x-p2p-peer-id"), [world.pair.ada.id.to_string()]);
        assert_eq!(asked("host"), [world.site.address.to_string()]);
        assert!(asked("authorization").is_empty(), "our token");

        let whole = world.get("GET", "/file", &[], b"").expect(200);
        assert!(whole.body == file, "64 MiB, byte for byte");
        if ada == Kind::Smol {
            assert_eq!(header(&whole, "content-length"), Some("67108864"));
        }
        let chunks = world.get("GET", "/chunks", &[], b"").expect(200);
        assert!(chunks.body == file, "without a length");
        let range = world
            .get("GET", "/file", &[("range", "bytes=1000000-3000000")], b"")
            .expect(206);
        assert!(range.body == file[1_000_000..=3_000_000]);
        assert_eq!(
            header(&range, "content-range"),
            Some("bytes 1000000-3000000/67108864")
        );
        let moved = world.get("GET", "/moved", &[], b"").expect(302);
        let location = header(&moved, "location").expect("it is there");
        assert_eq!(location, world.target("/list"));
        let missing = world.get("GET", "/nothing", &[], b"").expect(404);
        assert_eq!(missing.body, b"no");
        let upload = world.get("PUT", "/up", &[], &file[..20 * MIB]).expect(201);
        let told = format!("{} {}", 20 * MIB, sum(&file[..20 * MIB]));
        assert_eq!(String::from_utf8_lossy(&upload.body), told);
    });
}

#[test]
fn head_tells_the_length_and_nothing_comes() {
    for_all(|ada, ben| {
        let world = World::new(ada, ben, vec![1; 5_000]);
        let none = world.pair.ada.api.begin("HEAD", &world.target("/file"));
        // An upload that is empty, so that the connection may go on.
        let mut none = none;
        none.finish().expect("taken");
        let head = none.response().expect("a head");
        assert_eq!(
            (head.status, head.header("content-length")),
            (200, Some("5000"))
        );
    });
}

#[test]
fn a_download_that_breaks_off_never_looks_whole() {
    for_all(|ada, ben| {
        let world = World::new(ada, ben, vec![3; 8 * MIB]);
        let call = world.pair.ada.api.follow(&world.target("/slow"));
        let mut response = call.response().expect("a head");
        let mut got = Vec::new();
        let end = response.read_to_end(&mut got);
        assert!(end.is_err(), "{} bytes passed for 8 MiB", got.len());
        assert!(got.iter().all(|b| *b == 3));
        // The node goes on, and says what is wrong where it can.
        let _ = world.get("GET", "/list", &[], b"").expect(200);
    });
}

#[test]
fn a_client_that_goes_away_ends_the_application_s_work() {
    for_all(|ada, ben| {
        let world = World::new(ada, ben, vec![3; 64 * MIB]);
        let call = world.pair.ada.api.follow(&world.target("/file"));
        let mut response = call.response().expect("a head");
        response.read_exact(&mut [0; 1_000]).expect("the beginning");
        drop(response);
        eventually("the application's connection is cut", || {
            (world.site.cut.load(Ordering::Relaxed) == 1).then_some(())
        });
        // An upload is cut, too, and never ended well.
        let mut upload = world.pair.ada.api.begin("POST", &world.target("/up"));
        upload.write(&[1; 10_000]).expect("taken");
        eventually("the application sees an upload begin", || {
            (world.site.begun.load(Ordering::Relaxed) == 1).then_some(())
        });
        upload.vanish();
        eventually("the application sees half of an upload", || {
            let seen = world.site.seen.lock().expect("no panic");
            seen.iter()
                .find(|s| s.line == "POST /up")
                .map(|s| assert!(!s.is_whole))
        });
    });
}

#[test]
fn applications_that_are_not_there_are_told_apart_from_those_that_answer() {
    for_all(|ada, ben| {
        let world = World::new(ada, ben, vec![1]);
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let gone =
            json!({"deliver": "http", "target": format!("http://{address}"), "allow": ["anyone"]});
        let offer = |body: &Value| put(world.pair.ben(), "/v1/services/web", body);
        let _ = offer(&gone).expect(200);
        let refused = world.get("GET", "/list", &[], b"").expect(503);
        assert_eq!(refused.json()["code"], "service_unavailable");
        assert_eq!(
            header(&refused, "x-p2p-problem"),
            Some("service_unavailable")
        );
        let mut hidden = gone;
        hidden["allow"] = json!([]);
        let _ = offer(&hidden).expect(200);
        let refused = world.get("GET", "/list", &[], b"").expect(404);
        let _ = world
            .pair
            .ben()
            .call("DELETE", "/v1/services/web", &[], b"")
            .expect(204);
        let missing = world.get("GET", "/list", &[], b"").expect(404);
        assert_eq!(
            refused.body, missing.body,
            "nobody learns what is offered to others"
        );
    });
}
