//! Programs that begin requests and do not go on keep nobody else out.

use std::io::Write as _;
use std::net::TcpStream;

use p2p_tests::api::eventually;
use p2p_tests::nodes::{Folder, Kind, Wish, start};

/// Half-sent requests: more than the node takes connections.
const HALVES: usize = 450;

#[test]
fn sec_35_half_sent_bodies_keep_nobody_out() {
    let folder = Folder::new();
    let node = start(Kind::Smol, &Wish::new(folder.path())).expect("a node");
    let address = node.api.address;
    let half = |login: bool| {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let path = if login {
            "/v1/auth/login"
        } else {
            "/v1/peers/x/messages"
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
             content-length: 100\r\n\r\n{{"
        );
        // The node may have closed it already.
        let _ = stream.write_all(head.as_bytes());
        stream
    };
    let followed = node.api.follow("/v1/events");
    let mut events = followed.response().expect("a head");
    let halves: Vec<TcpStream> = (0..HALVES).map(|n| half(n % 3 > 0)).collect();
    for _ in 0..10 {
        assert_eq!(node.api.get("/healthz").status, 200);
        assert_eq!(node.api.get("/v1/node").status, 200);
    }
    // Who has shown the token stays.
    let mut first = [0; 1];
    let read = std::io::Read::read(&mut events, &mut first).expect("still there");
    assert_eq!(read, 1);
    // Those that say nothing more are closed by the node.
    let mut silent = halves.into_iter().next_back().expect("some");
    silent
        .set_read_timeout(Some(std::time::Duration::from_secs(1)))
        .expect("a time");
    eventually("the node closes the last one", || {
        let mut rest = Vec::new();
        std::io::Read::read_to_end(&mut silent, &mut rest).ok()
    });
}
