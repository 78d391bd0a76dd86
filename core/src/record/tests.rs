//! Recordings of a real node in memory: replayed, cut, filled up, meddled with.

use core::net::SocketAddr;
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use super::line::FORMAT;
use super::*;
use crate::Node;
use crate::api::{Command, ConnectTarget, Engine, IntroducerAddress, NodeConfig};
use crate::id::NodeId;
use crate::time::{Duration, Instant};

/// A file in memory that outlives its recorder.
#[derive(Clone, Default)]
struct Tape(Rc<RefCell<Vec<u8>>>);

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tape {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow_mut().clone()).unwrap()
    }
}

fn config() -> NodeConfig {
    let mut config = NodeConfig::new([1; 32], [2; 32], [3; 32]);
    config.introducers = vec![IntroducerAddress {
        id: NodeId::from_bytes([9; 32]),
        host: "introducer.example".to_owned(),
        port: 6660,
    }];
    config
}

/// Plays `rounds` of everything that a driver does with a node that finds nobody.
fn record(rounds: u64, limit_bytes: u64) -> String {
    let tape = Tape::default();
    let start = Instant::from_millis(5);
    let mut engine =
        Recorder::start(config(), start, Node::new, tape.clone(), limit_bytes).unwrap();
    let from = SocketAddr::from(([192, 0, 2, 1], 4_000));
    let mut buffer = vec![0; 1_500];
    for round in 0..rounds {
        let now = start + Duration::from_millis(round * 20);
        engine.handle_datagram(now, from, &mut [round as u8; 60]);
        engine.handle_timeout(now);
        let addresses = vec![SocketAddr::from(([192, 0, 2, 7], 6660))];
        while let Some(effect) = engine.poll_effect() {
            let result = crate::api::EffectResult::Resolved(addresses.clone());
            let resolved = Command::Answered {
                id: effect.id,
                result,
            };
            engine.handle_command(now, resolved).unwrap();
        }
        let connect = Command::Connect {
            target: ConnectTarget::Id(NodeId::from_bytes([7; 32])),
            introducer: None,
            timeout: Duration::from_millis(50),
        };
        engine.handle_command(now, connect).unwrap();
        while engine.poll_event().is_some() {}
        while engine.poll_transmit(now, &mut buffer).is_some() {}
    }
    drop(engine);
    tape.text()
}

fn played(text: &str) -> Result<Replayed, ReplayError> {
    replay(text.as_bytes(), Node::new)
}

#[test]
fn a_recording_replays_to_the_same_hash() {
    let text = record(700, u64::MAX);
    let played = played(&text).unwrap();
    assert_eq!(played.ending, Ending::Ended);
    assert!(played.inputs > 2_000, "{}", played.inputs);
    let marks = text.lines().filter(|l| l.starts_with("{\"check\"")).count();
    assert_eq!(marks as u64, (played.inputs - 1) / 1_000);
    assert_eq!(played.recorded, Some((played.inputs, played.hash)));
    assert!(text.contains("\"poll_effect\"") && text.contains("\"poll_event\""));
}

#[test]
fn a_full_recording_keeps_its_start_and_says_that_it_is_full() {
    let text = record(700, 60_000);
    assert!(text.len() <= 60_000, "{}", text.len());
    let played = played(&text).unwrap();
    assert_eq!(played.ending, Ending::Full);
    assert_eq!(played.recorded, Some((played.inputs, played.hash)));
}

#[test]
fn a_recording_that_breaks_off_replays_up_to_there() {
    let text = record(700, u64::MAX);
    let cut = played(&text[..text.len() - 40]).unwrap();
    assert_eq!(cut.ending, Ending::Broken);
    assert_eq!(
        cut.recorded.map(|(n, _)| n),
        Some((cut.inputs - 1) / 1_000 * 1_000)
    );
}

#[test]
fn a_recording_without_its_start_is_refused() {
    let text = record(3, u64::MAX);
    let (first, rest) = text.split_once('\n').unwrap();
    assert!(matches!(played(rest), Err(ReplayError::NoStart)));
    assert!(matches!(played(""), Err(ReplayError::NoStart)));
    let own = format!("{{\"format\":{FORMAT},");
    assert!(first.contains(&own), "{first}");
    let later = text.replace(&own, "{\"format\":99,");
    assert!(matches!(played(&later), Err(ReplayError::Format(99))));
    let twice = format!("{first}\n{text}");
    assert!(matches!(played(&twice), Err(ReplayError::NoStart)));
    let damaged = text.replacen("\"timeout\"", "\"timeless\"", 1);
    let Err(ReplayError::Line { number: 3, .. }) = played(&damaged) else {
        panic!("{:?}", played(&damaged));
    };
}

#[test]
fn another_input_shows_at_the_next_mark() {
    let text = record(700, u64::MAX);
    let line = "\"command\":{\"Connect\"";
    let number = text.find(line).unwrap();
    let end = number + text[number..].find('\n').unwrap();
    let begin = text[..number].rfind('\n').unwrap();
    let without = format!("{}{}", &text[..begin], &text[end..]);
    let Err(ReplayError::Differs {
        same_until: 0,
        differs_at: 1_000,
        ..
    }) = played(&without)
    else {
        panic!("{:?}", played(&without));
    };
}
