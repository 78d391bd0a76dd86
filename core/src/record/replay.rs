//! Runs a recording again.

use core::fmt;
use std::io::BufRead;

use super::digest::Digest;
use super::line::{FORMAT, Input, Line, Mark};
use crate::api::{ApiMisuse, Arrival, Engine, NodeConfig};
use crate::limits;
use crate::time::Instant;

/// Largest buffer that a recording may ask for.
const BUFFER_BYTES: u64 = 16 << 20;

/// How a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The node ended.
    Ended,
    /// The limit was reached; the node went on.
    Full,
    /// Without a last line: the program was killed, or still writes.
    Broken,
}

/// What a replay came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Inputs given to the engine.
    pub inputs: u64,
    /// BLAKE2s-256 of all output, in hexadecimal.
    pub hash: String,
    /// The hash that was recorded last, and after how many inputs; `None` where the recording broke off before.
    pub recorded: Option<(u64, String)>,
    /// How the recording ends.
    pub ending: Ending,
    /// Version of the engine that was recorded.
    pub version: String,
}

/// Why a recording cannot be run again.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplayError {
    /// It cannot be read.
    Read(std::io::Error),
    /// It does not begin with a line that says how the engine was made: its start is lost, or it is something else.
    NoStart,
    /// It has another format.
    Format(u32),
    /// A line is none of a recording.
    Line {
        /// Its number, from 1.
        number: u64,
        /// What is wrong.
        why: serde_json::Error,
    },
    /// The engine refuses the configuration.
    Refused(ApiMisuse),
    /// The output differs from what was recorded.
    Differs {
        /// Inputs up to which the outputs were the same.
        same_until: u64,
        /// Inputs after which they differ.
        differs_at: u64,
        /// Version of the engine that was recorded.
        version: String,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "the recording cannot be read: {error}"),
            Self::NoStart => f.write_str("this is no recording, or its start is lost"),
            Self::Format(format) => {
                write!(
                    f,
                    "the recording has format {format}; {FORMAT} is known here"
                )
            }
            Self::Line { number, why } => write!(f, "line {number} is damaged: {why}"),
            Self::Refused(why) => write!(f, "the engine refuses the configuration: {why}"),
            Self::Differs {
                same_until,
                differs_at,
                version,
            } => write!(
                f,
                "the output differs from what version {version} gave: the same after {same_until} inputs, \
                 another after {differs_at}"
            ),
        }
    }
}

impl core::error::Error for ReplayError {}

/// Makes an engine with `make` as the recording says, gives it what the recorded one was given, and compares.
///
/// # Errors
/// [`ReplayError`]; a recording that breaks off in the middle of a line is run up to there.
pub fn replay<E: Engine>(
    mut recording: impl BufRead,
    make: impl FnOnce(NodeConfig, Instant) -> Result<E, ApiMisuse>,
) -> Result<Replayed, ReplayError> {
    let mut text = String::new();
    recording.read_line(&mut text).map_err(ReplayError::Read)?;
    let Ok(Line::Start {
        format,
        version,
        at,
        config,
    }) = serde_json::from_str(&text)
    else {
        return Err(ReplayError::NoStart);
    };
    if format != FORMAT {
        return Err(ReplayError::Format(format));
    }
    let engine = make(*config, at).map_err(ReplayError::Refused)?;
    let version = version.into_owned();
    let mut player = Player::new(engine);
    let mut ending = Ending::Broken;
    for number in 2.. {
        text.clear();
        recording.read_line(&mut text).map_err(ReplayError::Read)?;
        if !text.ends_with('\n') {
            break;
        }
        let line = serde_json::from_str(&text).map_err(|why| ReplayError::Line { number, why })?;
        let mark = match line {
            Line::Start { .. } => return Err(ReplayError::NoStart),
            Line::Input { at, input } => {
                player.play(at, input);
                continue;
            }
            Line::Check(mark) => mark,
            Line::Full(mark) => {
                ending = Ending::Full;
                mark
            }
            Line::End(mark) => {
                ending = Ending::Ended;
                mark
            }
        };
        player.compare(mark, &version)?;
        if ending != Ending::Broken {
            break;
        }
    }
    Ok(Replayed {
        inputs: player.inputs,
        hash: player.digest.text(),
        recorded: player.recorded.map(|mark| (mark.inputs, mark.hash)),
        ending,
        version,
    })
}

struct Player<E> {
    engine: E,
    digest: Digest,
    inputs: u64,
    recorded: Option<Mark>,
    buffer: Vec<u8>,
}

impl<E: Engine> Player<E> {
    fn new(engine: E) -> Self {
        Self {
            engine,
            digest: Digest::default(),
            inputs: 0,
            recorded: None,
            buffer: vec![0; limits::BATCH_BYTES],
        }
    }

    fn compare(&mut self, mark: Mark, version: &str) -> Result<(), ReplayError> {
        if mark.hash != self.digest.text() || mark.inputs != self.inputs {
            return Err(ReplayError::Differs {
                same_until: self.recorded.as_ref().map_or(0, |m| m.inputs),
                differs_at: mark.inputs,
                version: version.to_owned(),
            });
        }
        self.recorded = Some(mark);
        Ok(())
    }

    fn play(&mut self, at: Instant, input: Input<'_>) {
        self.inputs += 1;
        let (engine, digest) = (&mut self.engine, &mut self.digest);
        match input {
            Input::Batch {
                link,
                from,
                to,
                ecn,
                segment_size,
                bytes,
            } => {
                let arrival = Arrival {
                    link,
                    from,
                    to,
                    ecn,
                    segment_size: size(segment_size),
                    bytes: &mut bytes.into_owned(),
                };
                engine.handle_arrival(at, arrival);
            }
            Input::SendError { to, from } => engine.handle_send_error(at, to, from),
            Input::Timeout => engine.handle_timeout(at),
            Input::Command(command) => digest.add(b'c', &engine.handle_command(at, *command)),
            Input::ReadStream {
                peer,
                stream,
                max_bytes,
            } => {
                let read = engine.read_stream(at, peer, stream, size(max_bytes));
                digest.add(b'r', &read);
            }
            Input::ReadMessage { peer, message } => {
                let read = engine.read_message(at, peer, message);
                digest.add(b'm', &read.as_deref());
            }
            Input::TakeMessage { peer, message } => {
                let taken = engine.take_message(at, peer, message);
                digest.add(b'm', &taken.as_deref());
            }
            Input::PollTransmit { buffer_bytes } => {
                let bytes = size(buffer_bytes.min(BUFFER_BYTES));
                if self.buffer.len() < bytes {
                    self.buffer.resize(bytes, 0);
                }
                let buffer = self.buffer.get_mut(..bytes).unwrap_or_default();
                let transmit = engine.poll_transmit(at, buffer);
                digest.add_transmit(transmit.as_ref(), buffer);
            }
            Input::PollEvent => {
                if let Some(event) = engine.poll_event() {
                    digest.add(b'e', &event);
                }
            }
            Input::PollEffect => {
                if let Some(effect) = engine.poll_effect() {
                    digest.add(b'f', &effect);
                }
            }
        }
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
