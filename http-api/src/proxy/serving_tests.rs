//! Exchanges of honest and other callers with good and bad applications, in plain values.

use super::*;

fn serving() -> Serving {
    let caller = Caller {
        fields: vec![("x-p2p-peer-id", "ada".to_owned())],
        mark: "p2p-benbenbe".to_owned(),
    };
    Serving::new(caller, "127.0.0.1:3000", "/app/")
}

fn head(method: &str, follows: bool, length: Option<u64>, fields: &[(&str, &str)]) -> Bytes {
    let field = |(n, v): &(&str, &str)| ((*n).to_owned(), v.as_bytes().to_vec());
    let head = RequestHead {
        upgrade: false,
        method: method.to_owned(),
        path: "/x?y".to_owned(),
        authority: "localhost:8080".to_owned(),
        body: Body { follows, length },
        fields: fields.iter().map(field).collect(),
    };
    Frame::request_head(&head.encode().expect("a good head"))
}

fn data(bytes: &'static [u8]) -> Bytes {
    let mut all = Vec::new();
    Frame::data(Bytes::from_static(bytes), |b| all.extend_from_slice(&b));
    all.into()
}

fn steps(serving: &mut Serving) -> Vec<ServingStep> {
    std::iter::from_fn(|| serving.poll()).collect()
}

fn to_target(serving: &mut Serving) -> String {
    let mut all = Vec::new();
    for step in steps(serving) {
        if let ServingStep::Connect(bytes) | ServingStep::ToTarget(bytes) = step {
            all.extend_from_slice(&bytes);
        }
    }
    String::from_utf8(all).expect("ASCII")
}

#[test]
fn an_application_sees_plain_http_and_who_asks() {
    let mut serving = serving();
    let forged = [
        ("x-p2p-peer-id", "eve"),
        ("accept", "*/*"),
        ("connection", "x"),
    ];
    serving.on_stream(head("POST", true, None, &forged));
    serving.on_stream(data(b"abc"));
    serving.on_stream_end();
    assert_eq!(
        to_target(&mut serving),
        "POST /app/x?y HTTP/1.1\r\nhost: 127.0.0.1:3000\r\naccept: */*\r\nx-p2p-peer-id: ada\r\n\
         x-forwarded-host: localhost:8080\r\nx-forwarded-proto: http\r\nvia: 1.1 p2p-benbenbe\r\n\
         connection: close\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    );
    serving.on_target(Bytes::from_static(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ));
    let steps = steps(&mut serving);
    assert!(matches!(steps[0], ServingStep::ToPeer(_)));
    assert_eq!(
        steps[steps.len() - 2..],
        [ServingStep::CloseTarget, ServingStep::EndPeer]
    );
}

#[test]
fn an_early_answer_stops_the_upload() {
    let mut serving = serving();
    serving.on_stream(head("PUT", true, Some(10), &[]));
    serving.on_target(Bytes::from_static(
        b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n",
    ));
    let steps = steps(&mut serving);
    assert_eq!(steps.last(), Some(&ServingStep::StopPeer(code::DONE)));
}

#[test]
fn half_uploads_never_pass_for_whole_ones() {
    let cut = |parts: &[Bytes]| {
        let mut serving = serving();
        for part in parts {
            serving.on_stream(part.clone());
        }
        serving.on_stream_end();
        let steps = steps(&mut serving);
        assert!(!steps.contains(&ServingStep::ToTarget(Bytes::from_static(
            answer::LAST_CHUNK
        ))));
        steps.last().cloned()
    };
    let broken = |code| Some(ServingStep::Cut(code));
    let (told, open) = (
        head("PUT", true, Some(4), &[]),
        head("PUT", true, None, &[]),
    );
    assert_eq!(cut(&[told.clone(), data(b"abc")]), broken(code::LENGTH));
    assert_eq!(cut(&[told, data(b"abcde")]), broken(code::LENGTH));
    assert_eq!(
        cut(&[open.clone(), data(b"abc").slice(..3)]),
        broken(code::LENGTH)
    );
    assert_eq!(cut(&[]), broken(code::LENGTH));
    assert_eq!(cut(&[open.clone(), open]), broken(code::MALFORMED));
    let none = head("GET", false, None, &[]);
    assert_eq!(cut(&[none, data(b"a")]), broken(code::LENGTH));
    assert_eq!(cut(&[data(b"a")]), broken(code::MALFORMED));
    assert_eq!(
        cut(&[head("GET", false, Some(4), &[])]),
        broken(code::MALFORMED)
    );
}

#[test]
fn applications_that_fail_become_problems_or_cuts() {
    let answered = |text: Option<&'static str>, act: fn(&mut Serving)| {
        let mut serving = serving();
        serving.on_stream(head("GET", false, None, &[]));
        serving.on_stream_end();
        if let Some(text) = text {
            serving.on_target(Bytes::from_static(text.as_bytes()));
        }
        act(&mut serving);
        steps(&mut serving)
    };
    let says = |steps: &[ServingStep], status| {
        steps.contains(&ServingStep::ToPeer(Frame::problem(status)))
            && steps.last() == Some(&ServingStep::EndPeer)
    };
    assert!(says(
        &answered(None, Serving::on_target_refused),
        status::UNAVAILABLE
    ));
    assert!(says(
        &answered(None, Serving::on_target_end),
        status::BROKEN
    ));
    assert!(says(&answered(None, Serving::on_late), status::TIMED_OUT));
    assert!(says(
        &answered(Some("HTTP/1.1 20"), Serving::on_target_broken),
        status::BROKEN
    ));
    assert!(says(&answered(Some("junk\n"), |_| {}), status::BROKEN));
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc";
    for act in [
        Serving::on_target_end as fn(&mut Serving),
        Serving::on_target_broken,
    ] {
        assert_eq!(answered(Some(half), act), [ServingStep::Cut(code::CUT)]);
    }
    let close = "HTTP/1.0 200 OK\r\n\r\nabc";
    assert_eq!(
        answered(Some(close), Serving::on_target_broken),
        [ServingStep::Cut(code::CUT)]
    );
    assert_eq!(
        answered(Some(close), Serving::on_target_end).last(),
        Some(&ServingStep::EndPeer)
    );
    let late = answered(Some(half), Serving::on_late);
    assert!(!says(&late, status::TIMED_OUT), "the head was in time");
}

#[test]
fn a_request_that_has_been_here_goes_round_no_second_time() {
    let mut serving = serving();
    serving.on_stream(head("GET", false, None, &[("via", "1.1 p2p-benbenbe")]));
    let steps = steps(&mut serving);
    assert_eq!(steps[0], ServingStep::ToPeer(Frame::problem(status::LOOP)));
    assert!(!steps.iter().any(|s| matches!(s, ServingStep::Connect(_))));
}

#[test]
fn sec_40_a_caller_stays_below_the_base() {
    let head = RequestHead {
        upgrade: false,
        method: "GET".to_owned(),
        path: "/%2e%2e/secret".to_owned(),
        authority: "x".to_owned(),
        body: Body::default(),
        fields: Fields::new(),
    };
    let mut serving = serving();
    serving.on_stream(Frame::request_head(&head.encode().expect("well formed")));
    assert_eq!(steps(&mut serving), [ServingStep::Cut(code::MALFORMED)]);
}
