//! Control messages: what is written reads back, what is read writes back, and every attribute is
//! guarded.
//!
//! Golden texts pin the order of attributes, which no receiver may depend on.

use core::net::IpAddr;

use quickcheck::{Arbitrary, Gen, quickcheck};

use super::*;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::limits;
use crate::wire::name;

fn any_name(g: &mut Gen) -> String {
    let mut text: String = String::arbitrary(g)
        .chars()
        .chain("\"\\Zoë".chars())
        .filter(|c| !c.is_control() && !c.is_whitespace() && !"@/".contains(*c))
        .collect();
    while text.len() > limits::NAME_BYTES {
        text.pop();
    }
    assert!(name::is_valid(&text), "{text:?}");
    text
}

fn any_bytes(g: &mut Gen, len: usize) -> Vec<u8> {
    (0..len).map(|_| u8::arbitrary(g)).collect()
}

fn any_id(g: &mut Gen) -> NodeId {
    NodeId::from_bytes(core::array::from_fn(|_| u8::arbitrary(g)))
}

fn any_address(g: &mut Gen) -> SocketAddr {
    SocketAddr::new(IpAddr::arbitrary(g), u16::arbitrary(g))
}

fn any_option<T>(g: &mut Gen, make: impl FnOnce(&mut Gen) -> T) -> Option<T> {
    bool::arbitrary(g).then(|| make(g))
}

impl Arbitrary for Candidate {
    fn arbitrary(g: &mut Gen) -> Self {
        Self {
            address: any_address(g),
            kind: *g
                .choose(&[CandidateKind::Host, CandidateKind::Reflexive])
                .unwrap(),
        }
    }
}

fn any_search_result(g: &mut Gen) -> ControlMessage {
    let cursor = any_option(g, any_name);
    let mut entries: Vec<_> = (0..u8::arbitrary(g) % 30)
        .map(|_| (any_name(g), any_id(g)))
        .collect();
    entries.truncate(search_page_len(
        &entries,
        cursor.as_ref().map_or(0, String::len),
    ));
    ControlMessage::SearchResult {
        reply_to: u64::arbitrary(g),
        entries,
        cursor,
    }
}

fn any_refusal(g: &mut Gen) -> ControlMessage {
    let commands = [
        RefusedCommand::Register,
        RefusedCommand::Search,
        RefusedCommand::Connect,
    ];
    ControlMessage::Refused {
        command: *g.choose(&commands).unwrap(),
        reply_to: u64::arbitrary(g),
        code: *g.choose(&RefusalCode::ALL).unwrap(),
        retry_after_s: Option::arbitrary(g),
    }
}

fn any_introduction(g: &mut Gen) -> ControlMessage {
    match u8::arbitrary(g) % 4 {
        0 => ControlMessage::ConnectRequest {
            reference: u64::arbitrary(g),
            target: if bool::arbitrary(g) {
                Target::Id(any_id(g))
            } else {
                Target::Name(any_name(g))
            },
            channel: u32::arbitrary(g),
        },
        1 => ControlMessage::ConnectAnswer {
            reply_to: u64::arbitrary(g),
            key_record: any_bytes(g, KEY_RECORD_BYTES),
            name: any_option(g, any_name),
            observed: any_address(g),
        },
        2 => ControlMessage::Introduce {
            reference: u64::arbitrary(g),
            key_record: any_bytes(g, KEY_RECORD_BYTES),
            channel: u32::arbitrary(g),
            name: any_option(g, any_name),
            observed: any_address(g),
            is_neighbour: bool::arbitrary(g),
        },
        _ => ControlMessage::IntroduceAccepted {
            reply_to: u64::arbitrary(g),
        },
    }
}

impl Arbitrary for ControlMessage {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) % 8 {
            0 => Self::KeepAlive,
            1 => Self::Register {
                reference: u64::arbitrary(g),
                key_record: any_bytes(g, KEY_RECORD_BYTES),
                name_record: any_option(g, |g| {
                    let name_bytes = usize::arbitrary(g) % limits::NAME_BYTES + 1;
                    any_bytes(g, NAME_RECORD_BYTES_FIXED + name_bytes)
                }),
                listed: bool::arbitrary(g),
            },
            2 => Self::Registered {
                reply_to: u64::arbitrary(g),
                observed: any_address(g),
                life_s: u32::arbitrary(g),
            },
            3 => Self::Search {
                reference: u64::arbitrary(g),
                prefix: any_name(g),
                cursor: any_option(g, any_name),
            },
            4 => any_search_result(g),
            5 => any_refusal(g),
            6 => {
                let count = usize::arbitrary(g) % (limits::CANDIDATES + 1);
                Self::Candidates((0..count).map(|_| Candidate::arbitrary(g)).collect())
            }
            _ => any_introduction(g),
        }
    }
}

quickcheck! {
    fn what_we_write_we_can_read(message: ControlMessage) -> bool {
        let json = message.to_json();
        json.len() <= limits::CONTROL_BYTES
            && ControlMessage::parse(&json) == Ok(ParsedControl::Known(message))
    }

    fn every_shortened_message_is_refused(message: ControlMessage) -> bool {
        let json = message.to_json();
        (0..json.len()).all(|cut| ControlMessage::parse(&json[..cut]).is_err())
    }

    fn a_damaged_message_is_refused_or_means_what_it_writes(
        message: ControlMessage,
        at: usize,
        byte: u8
    ) -> bool {
        let mut json = message.to_json();
        let at = at % json.len();
        json[at] = byte;
        match ControlMessage::parse(&json) {
            Ok(ParsedControl::Known(read)) => {
                ControlMessage::parse(&read.to_json()) == Ok(ParsedControl::Known(read))
            }
            Ok(ParsedControl::Unknown) | Err(_) => true,
        }
    }

    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) -> bool {
        !matches!(ControlMessage::parse(&bytes), Ok(ParsedControl::Known(_)))
    }

    fn a_page_is_as_full_as_it_can_be(names: Vec<u8>) -> bool {
        let entries: Vec<_> = names
            .iter()
            .map(|len| {
                let name = "n".repeat(usize::from(len % 64) + 1);
                (name, NodeId::from_bytes([*len; 32]))
            })
            .collect();
        let cursor = "\"".repeat(32);
        let len = search_page_len(&entries, cursor.len());
        let json_len = |count: usize| {
            let entries = entries[..count].to_vec();
            let cursor = Some(cursor.clone());
            ControlMessage::SearchResult { reply_to: 1, entries, cursor }.to_json().len()
        };
        let full = len == entries.len() || len == limits::SEARCH_PAGE;
        // The comma after the last entry is counted too, hence one byte of slack.
        json_len(len) <= limits::CONTROL_BYTES
            && (full || json_len(len + 1) + 1 > limits::CONTROL_BYTES)
    }
}

fn text(message: &ControlMessage) -> String {
    String::from_utf8(message.to_json()).unwrap()
}

fn golden(message: ControlMessage, json: &str) {
    assert_eq!(text(&message), json);
    assert_eq!(
        ControlMessage::parse(json.as_bytes()),
        Ok(ParsedControl::Known(message))
    );
}

const SEEN: &str = "[2001:db8::1]:4000";

/// A record of zeros in z-base-32.
fn zeros(record_bytes: usize) -> String {
    "y".repeat((record_bytes * 8).div_ceil(5))
}

#[test]
fn keep_alives_and_registrations_have_the_spelling_of_the_protocol() {
    golden(ControlMessage::KeepAlive, r#"{"c":"ka"}"#);
    golden(
        ControlMessage::ChannelClosed {
            channel: 0x8000_0007,
            code: RefusalCode::Refused,
        },
        r#"{"c":"cx","ch":"80000007","e":"refused"}"#,
    );
    assert_eq!(
        ControlMessage::KeepAlive.to_json(),
        crate::wire::frame::keep_alive::JSON
    );
    let register = |name_record| ControlMessage::Register {
        reference: 0xAB,
        key_record: vec![0; KEY_RECORD_BYTES],
        name_record,
        listed: true,
    };
    let (key, name) = (zeros(KEY_RECORD_BYTES), zeros(NAME_RECORD_BYTES_FIXED + 3));
    golden(
        register(None),
        &format!(r#"{{"c":"rg","n":"00000000000000ab","k":"{key}","l":true}}"#),
    );
    golden(
        register(Some(vec![0; NAME_RECORD_BYTES_FIXED + 3])),
        &format!(r#"{{"c":"rg","n":"00000000000000ab","k":"{key}","l":true,"nr":"{name}"}}"#),
    );
    golden(
        ControlMessage::Registered {
            reply_to: 1,
            observed: SEEN.parse().unwrap(),
            life_s: 60,
        },
        r#"{"c":"rg","r":"0000000000000001","h":"2001:db8::1","p":4000,"lf":60}"#,
    );
}

/// Protocol §6.3, §6.5.
#[test]
fn searches_and_refusals_have_the_spelling_of_the_protocol() {
    golden(
        ControlMessage::Search {
            reference: 2,
            prefix: "zoë".into(),
            cursor: Some("zoë\"".into()),
        },
        "{\"c\":\"qrq\",\"n\":\"0000000000000002\",\"su\":\"zoë\",\"cu\":\"zoë\\\"\"}",
    );
    let id = NodeId::from_bytes([0; 32]);
    golden(
        ControlMessage::SearchResult {
            reply_to: 2,
            entries: vec![("ada".into(), id), ("ben".into(), id)],
            cursor: Some("ben".into()),
        },
        &format!(
            r#"{{"c":"qrs","r":"0000000000000002","o":[{{"u":"ada","i":"{id}"}},{{"u":"ben","i":"{id}"}}],"cu":"ben"}}"#
        ),
    );
    let refused = |command, code, retry_after_s| ControlMessage::Refused {
        command,
        reply_to: 3,
        code,
        retry_after_s,
    };
    golden(
        refused(RefusedCommand::Search, RefusalCode::Throttled, Some(30)),
        r#"{"c":"qrs","r":"0000000000000003","e":"throttled","ra":30}"#,
    );
    golden(
        refused(RefusedCommand::Register, RefusalCode::Taken, None),
        r#"{"c":"rg","r":"0000000000000003","e":"taken"}"#,
    );
    golden(
        refused(RefusedCommand::Connect, RefusalCode::Unknown, None),
        r#"{"c":"cr2","r":"0000000000000003","e":"unknown"}"#,
    );
}

#[test]
fn introductions_have_the_spelling_of_the_protocol() {
    let (id, key) = (NodeId::from_bytes([0; 32]), zeros(KEY_RECORD_BYTES));
    let connect = |target| ControlMessage::ConnectRequest {
        reference: 0xAB,
        target,
        channel: 0x8000_0001,
    };
    golden(
        connect(Target::Name("zoë".into())),
        "{\"c\":\"cr1\",\"n\":\"00000000000000ab\",\"u\":\"zoë\",\"ch\":\"80000001\"}",
    );
    golden(
        connect(Target::Id(id)),
        &format!(r#"{{"c":"cr1","n":"00000000000000ab","u":"{id}","ch":"80000001"}}"#),
    );
    golden(
        ControlMessage::ConnectAnswer {
            reply_to: 4,
            key_record: vec![0; KEY_RECORD_BYTES],
            name: Some("ben".into()),
            observed: SEEN.parse().unwrap(),
        },
        &format!(
            r#"{{"c":"cr2","r":"0000000000000004","k":"{key}","u":"ben","h":"2001:db8::1","p":4000}}"#
        ),
    );
    golden(
        ControlMessage::Introduce {
            reference: 5,
            key_record: vec![0; KEY_RECORD_BYTES],
            channel: 1,
            name: Some("ada".into()),
            observed: SEEN.parse().unwrap(),
            is_neighbour: true,
        },
        &format!(
            r#"{{"c":"cr2","n":"0000000000000005","k":"{key}","ch":"00000001","f":"ada",{}}}"#,
            r#""h":"2001:db8::1","p":4000,"nb":true"#
        ),
    );
    golden(
        ControlMessage::IntroduceAccepted { reply_to: 5 },
        r#"{"c":"cr2","r":"0000000000000005"}"#,
    );
    let candidate = |address: &str, kind| Candidate {
        address: address.parse().unwrap(),
        kind,
    };
    golden(
        ControlMessage::Candidates(vec![
            candidate("192.0.2.1:5000", CandidateKind::Reflexive),
            candidate("[fe80::1]:5000", CandidateKind::Host),
        ]),
        r#"{"c":"cr3","ca":[{"h":"192.0.2.1","p":5000,"ct":1},{"h":"fe80::1","p":5000,"ct":0}]}"#,
    );
}

/// The first cells of the rows below `heading`, up to the end of its table.
fn first_cells<'a>(specification: &'a str, heading: &str) -> Vec<&'a str> {
    let table = specification.split(heading).nth(1).unwrap();
    let rows = table.lines().skip_while(|line| !line.starts_with('|'));
    rows.take_while(|line| line.starts_with('|'))
        .skip(2)
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

/// Protocol §6: the specification has every word of the code and no other.
/// Protocol §6.4, §6.5.
#[test]
fn the_specification_lists_the_words_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md");
    let specification = std::fs::read_to_string(path).unwrap();
    let code = include_str!("names.rs");
    let words = |module: &str| -> Vec<&str> {
        let body = code.split(&format!("mod {module} {{")).nth(1).unwrap();
        let body = body.split("\n}").next().unwrap();
        body.split('"').skip(1).step_by(2).collect()
    };
    let sorted = |mut words: Vec<&str>| -> Vec<String> {
        words.sort_unstable();
        words.into_iter().map(str::to_owned).collect()
    };
    // A time stamp is of the first generation too; nothing of ours carries one.
    let attributes = [words("seed"), words("ours"), vec!["t"]].concat();
    let listed = first_cells(&specification, "### 6.4 Attributes");
    assert_eq!(sorted(listed), sorted(attributes));
    let listed = first_cells(&specification, "### 6.5 Commands");
    assert_eq!(sorted(listed), sorted(words("command")));
}

#[test]
fn unknown_commands_and_attributes_are_no_errors() {
    let parse = |json: &str| ControlMessage::parse(json.as_bytes());
    assert_eq!(parse(r#"{"c":"zz","n":5}"#), Ok(ParsedControl::Unknown));
    assert_eq!(
        parse(r#" { "x" : [null, 1.5], "c" : "ka" } "#),
        Ok(ParsedControl::Known(ControlMessage::KeepAlive))
    );
    assert_eq!(
        parse(r#"{"c":"cr2","r":"0000000000000001","e":"later-code"}"#),
        Ok(ParsedControl::Known(ControlMessage::Refused {
            command: RefusedCommand::Connect,
            reply_to: 1,
            code: RefusalCode::Refused,
            retry_after_s: None,
        }))
    );
}

#[test]
fn wrong_attributes_are_named() {
    let n = r#""n":"0000000000000001""#;
    let cases = [
        (r#"{"n":1}"#.into(), "c", DecodeErrorKind::Missing),
        (r#"{"c":1}"#.into(), "c", DecodeErrorKind::WrongType),
        (
            r#"{"c":"qrq","n":1,"su":"abc"}"#.into(),
            "n",
            DecodeErrorKind::WrongType,
        ),
        (
            r#"{"c":"qrq","n":"1","su":"abc"}"#.into(),
            "n",
            DecodeErrorKind::NotCanonical,
        ),
        (
            r#"{"c":"qrq","n":"000000000000000A","su":"abc"}"#.into(),
            "n",
            DecodeErrorKind::NotCanonical,
        ),
        (
            format!(r#"{{"c":"qrq",{n},"su":"a b"}}"#),
            "su",
            DecodeErrorKind::OutOfRange,
        ),
        (
            format!(r#"{{"c":"qrq",{n},"su":"a","cu":"{}"}}"#, "x".repeat(129)),
            "cu",
            DecodeErrorKind::TooLong,
        ),
        (
            format!(r#"{{"c":"cr1",{n},"u":"a@b","ch":"00000000"}}"#),
            "u",
            DecodeErrorKind::OutOfRange,
        ),
        (
            format!(r#"{{"c":"cr1",{n},"u":"a","ch":"0"}}"#),
            "ch",
            DecodeErrorKind::NotCanonical,
        ),
        (
            format!(r#"{{"c":"rg",{n},"k":"yy","l":true}}"#),
            "k",
            DecodeErrorKind::OutOfRange,
        ),
        (
            r#"{"c":"cr3","ca":[{"h":"192.0.2.1","p":65536,"ct":0}]}"#.into(),
            "p",
            DecodeErrorKind::OutOfRange,
        ),
        (
            r#"{"c":"cr3","ca":[{"h":"localhost","p":6553,"ct":0}]}"#.into(),
            "h",
            DecodeErrorKind::NotCanonical,
        ),
        (
            r#"{"c":"cr3","ca":[{"h":"192.0.2.1","p":1.0,"ct":0}]}"#.into(),
            "p",
            DecodeErrorKind::WrongType,
        ),
        (
            r#"{"c":"cr3","ca":[{"h":"192.0.2.1","p":1,"ct":2}]}"#.into(),
            "ct",
            DecodeErrorKind::OutOfRange,
        ),
        (
            r#"{"c":"cr3","ca":[1]}"#.into(),
            "ca",
            DecodeErrorKind::WrongType,
        ),
        (
            format!(r#"{{"c":"cr3","ca":[{}{{}}]}}"#, "{},".repeat(8)),
            "ca",
            DecodeErrorKind::TooLong,
        ),
    ];
    for (json, field, kind) in cases {
        let json: String = json;
        let error = Err(DecodeError::new(field, kind));
        assert_eq!(ControlMessage::parse(json.as_bytes()), error, "{json}");
    }
}
