//! What goes over the stream of a transfer (protocol §8.11): type, length, payload. The receiver asks, the sender
//! answers in the order in which it was asked.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use p2p_storage::transfers::Want;

/// Longest payload.
const PAYLOAD_BYTES: usize = 64 << 10;
/// Type and length.
const HEAD_BYTES: usize = 5;

const TRANSFER: u8 = 1;
const WANT: u8 = 2;
const DATA: u8 = 3;
const END: u8 = 4;
const PROGRESS: u8 = 5;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// The stream is for this transfer, by the sender's number.
    Transfer(u64),
    /// Groups are wanted; how many bytes they hold is not said.
    Want(Want),
    /// A piece of what the oldest want gets.
    Data(Bytes),
    /// The oldest want has all.
    End,
    /// So many bytes, and files, are on the receiver's disk for good.
    Progress(u64, u64),
}

/// What came is no frame, or longer than one may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Frame {
    /// The frame as it goes over the stream.
    pub(super) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(HEAD_BYTES + 41);
        let mut head = |kind, length: usize| {
            out.put_u8(kind);
            out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
        };
        match self {
            Self::Transfer(number) => {
                head(TRANSFER, 8);
                out.put_u64(*number);
            }
            Self::Want(want) => {
                head(WANT, 48);
                out.put_slice(&want.hash);
                out.put_u64(want.first);
                out.put_u64(want.groups);
            }
            Self::Data(bytes) => {
                head(DATA, bytes.len());
                out.put_slice(bytes);
            }
            Self::End => head(END, 0),
            Self::Progress(bytes, files) => {
                head(PROGRESS, 16);
                out.put_u64(*bytes);
                out.put_u64(*files);
            }
        }
        out.freeze()
    }

    fn decode(kind: u8, mut payload: Bytes) -> Result<Self, Malformed> {
        let lengths = match kind {
            TRANSFER => 8..=8,
            WANT => 48..=48,
            DATA => 1..=PAYLOAD_BYTES,
            END => 0..=0,
            PROGRESS => 16..=16,
            _ => return Err(Malformed),
        };
        if !lengths.contains(&payload.len()) {
            return Err(Malformed);
        }
        Ok(match kind {
            TRANSFER => Self::Transfer(payload.get_u64()),
            WANT => {
                let mut hash = [0; 32];
                payload.copy_to_slice(&mut hash);
                Self::Want(Want {
                    hash,
                    first: payload.get_u64(),
                    groups: payload.get_u64(),
                    bytes: 0,
                })
            }
            DATA => Self::Data(payload),
            END => Self::End,
            _ => Self::Progress(payload.get_u64(), payload.get_u64()),
        })
    }
}

/// Proven groups as they go over the stream: pieces, and the end.
pub(super) fn answer(mut proven: Bytes, mut put: impl FnMut(Bytes)) {
    while !proven.is_empty() {
        let piece = proven.split_to(proven.len().min(PAYLOAD_BYTES));
        let mut head = BytesMut::with_capacity(HEAD_BYTES);
        head.put_u8(DATA);
        head.put_u32(u32::try_from(piece.len()).unwrap_or(u32::MAX));
        put(head.freeze());
        put(piece);
    }
    put(Frame::End.encode());
}

/// Takes frames out of a stream; holds less than one.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    held: BytesMut,
}

impl FrameReader {
    /// Bytes came; take all frames out before the next ones.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next frame, where it is whole.
    pub(super) fn next(&mut self) -> Result<Option<Frame>, Malformed> {
        let Some((head, rest)) = self.held.split_first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        let [kind, a, b, c, d] = *head;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > PAYLOAD_BYTES {
            return Err(Malformed);
        }
        if rest.len() < length {
            return Ok(None);
        }
        self.held.advance(HEAD_BYTES);
        let payload = self.held.split_to(length).freeze();
        Frame::decode(kind, payload).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<Frame> {
        let want = Want {
            hash: [7; 32],
            first: 64,
            groups: 3,
            bytes: 0,
        };
        vec![
            Frame::Transfer(u64::MAX),
            Frame::Want(want),
            Frame::Data(Bytes::from_static(b"x")),
            Frame::End,
            Frame::Progress(1, 2),
        ]
    }

    #[test]
    fn frames_come_back_however_they_are_cut() {
        let whole: Vec<u8> = frames().iter().flat_map(Frame::encode).collect();
        for size in 1..whole.len() {
            let mut reader = FrameReader::default();
            let mut read = Vec::new();
            for piece in whole.chunks(size) {
                reader.push(piece);
                while let Some(frame) = reader.next().expect("frames") {
                    read.push(frame);
                }
            }
            assert_eq!(read, frames(), "in pieces of {size}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_before_it_is_held() {
        for bad in [
            [9, 0, 0, 0, 0],
            [DATA, 0, 1, 0, 1],
            [DATA, 0, 0, 0, 0],
            [END, 0, 0, 0, 1],
        ] {
            let mut reader = FrameReader::default();
            reader.push(&bad);
            reader.push(b"x");
            assert_eq!(reader.next(), Err(Malformed), "{bad:?}");
        }
    }
}
