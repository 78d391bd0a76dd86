//! Answers of honest and other peers, in plain values.

use super::*;
use crate::proxy::head::Fields;

fn calling(method: &str) -> Calling {
    let head = RequestHead {
        upgrade: false,
        method: method.to_owned(),
        path: "/x".to_owned(),
        authority: "localhost:8080".to_owned(),
        body: Body::default(),
        fields: Fields::new(),
    };
    let root = "/v1/peers/ben/services/web".to_owned();
    Calling::new(&head, root).expect("a good head").0
}

fn answer(status: u16, follows: bool, length: Option<u64>, fields: &[(&str, &str)]) -> Bytes {
    let field = |(n, v): &(&str, &str)| ((*n).to_owned(), v.as_bytes().to_vec());
    let head = ResponseHead {
        status,
        body: Body { follows, length },
        fields: fields.iter().map(field).collect(),
    };
    Frame::response_head(&head.encode().expect("a good head"))
}

fn data(bytes: &[u8]) -> Bytes {
    let mut all = Vec::new();
    Frame::data(Bytes::copy_from_slice(bytes), |b| all.extend_from_slice(&b));
    all.into()
}

#[test]
fn an_answer_comes_whole_or_not_at_all() {
    let mut calling = calling("GET");
    let steps = calling
        .on_stream(answer(200, true, Some(5), &[]))
        .expect("good");
    assert!(matches!(&steps[..], [CallingStep::Head(head)] if head.status == 200));
    assert_eq!(
        calling.on_stream(data(b"abc")),
        Ok(vec![CallingStep::Chunk(Bytes::from_static(b"abc"))])
    );
    assert_eq!(
        calling.on_stream_end(),
        Err(Fault::Length),
        "two are missing"
    );
    assert!(calling.on_stream(data(b"de")).is_ok());
    assert_eq!(calling.on_stream_end(), Ok(Some(CallingStep::End)));
    assert_eq!(calling.on_stream_end(), Ok(None), "it ends once");
}

#[test]
fn a_body_without_length_ends_between_frames_only() {
    let mut calling = calling("GET");
    assert!(calling.on_stream(answer(200, true, None, &[])).is_ok());
    let whole = data(b"abcdef");
    assert!(calling.on_stream(whole.slice(..4)).is_ok());
    assert_eq!(calling.on_stream_end(), Err(Fault::Length));
    assert!(calling.on_stream(whole.slice(4..)).is_ok());
    assert_eq!(calling.on_stream_end(), Ok(Some(CallingStep::End)));
}

#[test]
fn what_peers_make_up_is_refused() {
    let refused = |method: &str, parts: &[Bytes]| {
        let mut calling = calling(method);
        parts
            .iter()
            .find_map(|part| calling.on_stream(part.clone()).err())
    };
    let good = answer(200, true, Some(1), &[]);
    let head = Frame::request_head(b"");
    assert_eq!(
        refused("GET", &[good.clone(), data(b"ab")]),
        Some(Fault::Length)
    );
    assert_eq!(
        refused("GET", &[good.clone(), good.clone()]),
        Some(Fault::Malformed)
    );
    assert_eq!(
        refused("GET", &[data(b"a")]),
        Some(Fault::Malformed),
        "no head"
    );
    assert_eq!(
        refused("GET", &[head]),
        Some(Fault::Malformed),
        "not its half"
    );
    assert_eq!(
        refused("HEAD", &[good]),
        Some(Fault::Malformed),
        "HEAD has no body"
    );
    assert_eq!(
        refused("GET", &[answer(200, false, None, &[]), data(b"a")]),
        Some(Fault::Length),
        "none was told"
    );
    assert_eq!(
        refused("GET", &[answer(200, true, None, &[]), Frame::problem(4)]),
        Some(Fault::Malformed),
        "a problem stands in the answer's place"
    );
    assert_eq!(
        refused("GET", &[answer(200, false, Some(5), &[])]),
        Some(Fault::Malformed),
        "a length of what does not come"
    );
    assert_eq!(refused("HEAD", &[answer(200, false, Some(5), &[])]), None);
    assert_eq!(refused("GET", &[answer(304, false, Some(5), &[])]), None);
    assert_eq!(calling("GET").on_stream_end(), Err(Fault::Length));
}

#[test]
fn fields_of_answers_are_looked_at_again() {
    let fields = [
        ("x-p2p-problem", "service_busy"),
        ("transfer-encoding", "chunked"),
        ("content-length", "99"),
        ("location", "/next?a"),
        ("etag", "1"),
    ];
    let steps = calling("GET").on_stream(answer(302, false, None, &fields));
    let Ok([CallingStep::Head(head)]) = steps.as_deref() else {
        panic!("{steps:?}");
    };
    let shown: Vec<_> = head
        .fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_slice()))
        .collect();
    assert_eq!(
        shown,
        [
            ("location", &b"/v1/peers/ben/services/web/next?a"[..]),
            ("etag", b"1")
        ]
    );
}
