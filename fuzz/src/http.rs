//! One HTTP request to the surface of a node: the first line is method and target, then come fields, an
//! empty line and the body.

use p2p_core::Node;
use p2p_core::api::NodeConfig;
use p2p_core::time::{Duration, Instant};
use p2p_http_api::{HttpId, Request, ResponsePart, Surface, SurfaceConfig, Token};

const PORT: u16 = 8080;

/// Whoever asks, there is one answer with a status, or the request waits for something that may still come.
pub(crate) fn request(bytes: &[u8]) {
    let (head, body) = split(bytes);
    let Ok(head) = core::str::from_utf8(head) else {
        return;
    };
    let mut lines = head.split('\n');
    let first = lines.next().unwrap_or_default();
    let (method, target) = first.split_once(' ').unwrap_or((first, "/"));
    // A method in small letters comes without the token, and from elsewhere.
    let is_owner = !method.starts_with(|c: char| c.is_ascii_lowercase());
    let mut headers = vec![("host".to_owned(), format!("127.0.0.1:{PORT}").into_bytes())];
    if is_owner {
        let token = format!("Bearer {}", "07".repeat(32));
        headers.push(("authorization".to_owned(), token.into_bytes()));
    }
    headers.extend(lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().as_bytes().to_vec()))
    }));
    let mut now = Instant::EPOCH;
    let config = NodeConfig::new([1; 32], [2; 32], [3; 32]);
    let mut node = Node::new(config, now).expect("a valid configuration");
    let mut surface = surface(now);
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        peer_is_loopback: is_owner,
        can_upgrade: false,
    };
    let id = HttpId(1);
    surface.handle_request(now, &mut node, id, request);
    for chunk in body.chunks(100) {
        if surface.is_open(id) {
            surface.handle_body(now, &mut node, id, chunk.to_vec().into());
        }
    }
    surface.handle_body_end(now, &mut node, id);
    let mut statuses = 0;
    for _ in 0..100 {
        while let Some((_, part)) = surface.poll_response() {
            if let ResponsePart::Head { status, .. } = part {
                assert!((200..600).contains(&status), "{status} for {head:?}");
                statuses += 1;
            }
        }
        now += Duration::from_secs(1);
        surface.handle_timeout(now, &mut node);
    }
    assert_eq!(statuses, 1, "answers for {head:?}");
}

fn surface(now: Instant) -> Surface {
    let config = SurfaceConfig {
        token: Token::from_bytes([7; 32]),
        allowed_hosts: SurfaceConfig::loopback_hosts(PORT),
        version: "0".to_owned(),
        driver: "fuzz",
        settings: Default::default(),
        local_forwards: true,
        book: Default::default(),
        inbox: Default::default(),
        rng_seed: [8; 32],
    };
    Surface::new(config, now, 1_767_225_600_000)
}

fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n");
    end.map_or((bytes, &[]), |end| (&bytes[..end], &bytes[end + 2..]))
}
