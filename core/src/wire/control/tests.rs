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

#[test]
fn messages_have_the_spelling_of_the_protocol() {
    let request = ControlMessage::ConnectRequest {
        reference: 0xAB,
        target: Target::Name("zoë".into()),
        channel: 0x8000_0001,
    };
    assert_eq!(
        text(&request),
        r#"{"c":"cr1","n":"00000000000000ab","u":"zoë","ch":"80000001"}"#
    );
    let registered = ControlMessage::Registered {
        reply_to: 1,
        observed: "[2001:db8::1]:4000".parse().unwrap(),
        life_s: 60,
    };
    assert_eq!(
        text(&registered),
        r#"{"c":"rg","r":"0000000000000001","h":"2001:db8::1","p":4000,"t":60}"#
    );
    let candidates = ControlMessage::Candidates(vec![Candidate {
        address: "192.0.2.1:5000".parse().unwrap(),
        kind: CandidateKind::Reflexive,
    }]);
    assert_eq!(
        text(&candidates),
        r#"{"c":"cr3","o":[{"h":"192.0.2.1","p":5000,"k":1}]}"#
    );
    assert_eq!(
        ControlMessage::KeepAlive.to_json(),
        crate::wire::frame::keep_alive::JSON
    );
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
            r#"{"c":"cr3","o":[{"h":"192.0.2.1","p":65536,"k":0}]}"#.into(),
            "p",
            DecodeErrorKind::OutOfRange,
        ),
        (
            r#"{"c":"cr3","o":[{"h":"localhost","p":6553,"k":0}]}"#.into(),
            "h",
            DecodeErrorKind::NotCanonical,
        ),
        (
            r#"{"c":"cr3","o":[{"h":"192.0.2.1","p":1.0,"k":0}]}"#.into(),
            "p",
            DecodeErrorKind::WrongType,
        ),
        (
            r#"{"c":"cr3","o":[{"h":"192.0.2.1","p":1,"k":2}]}"#.into(),
            "k",
            DecodeErrorKind::OutOfRange,
        ),
        (
            r#"{"c":"cr3","o":[1]}"#.into(),
            "o",
            DecodeErrorKind::WrongType,
        ),
        (
            format!(r#"{{"c":"cr3","o":[{}{{}}]}}"#, "{},".repeat(8)),
            "o",
            DecodeErrorKind::TooLong,
        ),
    ];
    for (json, field, kind) in cases {
        let json: String = json;
        let error = Err(DecodeError::new(field, kind));
        assert_eq!(ControlMessage::parse(json.as_bytes()), error, "{json}");
    }
}
