//! Frames of an exchange on its stream (protocol §8.8): type, length, payload. Bodies pass through without being held;
//! only heads are collected, and they are bounded.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::Fault;

/// Longest head, encoded.
pub(crate) const HEAD_BYTES: usize = 16 << 10;
/// Longest payload of one DATA frame.
pub(crate) const DATA_BYTES: usize = 64 << 10;
/// Longest payload of trailers.
const TRAILERS_BYTES: u64 = 4 << 10;
/// Longest payload of a problem.
const PROBLEM_BYTES: u64 = 256;
/// Types from here on are skipped where they are not known.
const FIRST_SKIPPED: u8 = 0x40;
/// Longest payload that is skipped.
const SKIPPED_BYTES: u64 = 64 << 10;

/// Pieces of a body below this are joined with those that came with them: each costs more than its bytes, and a peer
/// could fill memory with single ones.
const SMALL_BYTES: usize = 1 << 10;
/// Longest piece made of small ones.
const JOINED_BYTES: usize = 16 << 10;

const DATA: u8 = 0;
const REQUEST_HEAD: u8 = 1;
const RESPONSE_HEAD: u8 = 2;
const TRAILERS: u8 = 3;
const PROBLEM: u8 = 4;

/// What comes on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// An encoded request head.
    RequestHead(Bytes),
    /// An encoded response head.
    ResponseHead(Bytes),
    /// A piece of a body, never empty.
    Data(Bytes),
    /// Fields after the body; nothing is made of them.
    Trailers,
    /// The other node answers in the application's place, with one of its numbers.
    Problem(u16),
}

impl Frame {
    /// A request head as it goes over the stream.
    pub(crate) fn request_head(head: &[u8]) -> Bytes {
        framed(REQUEST_HEAD, head)
    }

    /// A response head as it goes over the stream.
    pub(crate) fn response_head(head: &[u8]) -> Bytes {
        framed(RESPONSE_HEAD, head)
    }

    /// A problem as it goes over the stream.
    pub(crate) fn problem(status: u16) -> Bytes {
        framed(PROBLEM, &status.to_be_bytes())
    }

    /// A piece of a body as it goes over the stream.
    pub(crate) fn data(mut body: Bytes, mut put: impl FnMut(Bytes)) {
        while !body.is_empty() {
            let piece = body.split_to(body.len().min(DATA_BYTES));
            let mut start = BytesMut::with_capacity(9);
            start.put_u8(DATA);
            put_varint(&mut start, piece.len() as u64);
            put(start.freeze());
            put(piece);
        }
    }
}

fn framed(kind: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 9);
    frame.put_u8(kind);
    put_varint(&mut frame, payload.len() as u64);
    frame.put_slice(payload);
    frame.freeze()
}

/// Writes a number of up to 62 bits (RFC 9000 §16).
pub(super) fn put_varint(out: &mut BytesMut, value: u64) {
    match value {
        0..=0x3F => out.put_u8(value as u8),
        0x40..=0x3FFF => out.put_u16(0x4000 | value as u16),
        0x4000..=0x3FFF_FFFF => out.put_u32(0x8000_0000 | value as u32),
        _ => out.put_u64(0xC000_0000_0000_0000 | value),
    }
}

/// Reads a number from the front of `bytes`; `None` where it is not all there.
pub(super) fn take_varint(bytes: &mut Bytes) -> Option<u64> {
    let length = 1_usize << (bytes.first()? >> 6);
    if bytes.len() < length {
        return None;
    }
    // The two bits that tell the length are no part of it.
    Some(bytes.get_uint(length) & (u64::MAX >> (66 - 8 * length)))
}

enum State {
    /// A frame begins; these bytes of its type and length are there.
    Between(BytesMut),
    Data(u64),
    Collecting(u8, usize, BytesMut),
    Skipping(u64),
}

/// Takes one half of a stream apart.
pub(crate) struct Reader {
    input: Bytes,
    state: State,
    /// Small pieces of a body.
    joined: BytesMut,
    /// What came after them.
    ahead: Option<Frame>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self {
            input: Bytes::new(),
            state: State::Between(BytesMut::new()),
            joined: BytesMut::new(),
            ahead: None,
        }
    }

    /// Bytes came; take all frames out before the next ones.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.input = bytes;
    }

    /// The next frame, or piece of one.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Fault> {
        if let Some(frame) = self.ahead.take() {
            return Ok(Some(frame));
        }
        loop {
            let frame = match self.advance()? {
                Some(Frame::Data(piece)) if piece.len() < SMALL_BYTES => {
                    self.joined.put(piece);
                    if self.joined.len() < JOINED_BYTES {
                        continue;
                    }
                    None
                }
                frame => frame,
            };
            if self.joined.is_empty() {
                return Ok(frame);
            }
            self.ahead = frame;
            return Ok(Some(Frame::Data(self.joined.split().freeze())));
        }
    }

    fn advance(&mut self) -> Result<Option<Frame>, Fault> {
        loop {
            match &mut self.state {
                State::Between(start) => {
                    if self.input.is_empty() {
                        return Ok(None);
                    }
                    start.put_u8(self.input.get_u8());
                    let mut length = Bytes::copy_from_slice(start.get(1..).unwrap_or_default());
                    if let (Some(kind), Some(length)) = (start.first(), take_varint(&mut length)) {
                        self.state = begin(*kind, length)?;
                    }
                }
                State::Data(0) | State::Skipping(0) => self.state = between(),
                State::Data(left) => {
                    let piece = take(&mut self.input, left);
                    return Ok(Some(piece).filter(|p| !p.is_empty()).map(Frame::Data));
                }
                State::Skipping(left) => {
                    if take(&mut self.input, left).is_empty() {
                        return Ok(None);
                    }
                }
                State::Collecting(kind, length, payload) => {
                    let missing = *length - payload.len();
                    payload.put(self.input.split_to(missing.min(self.input.len())));
                    if payload.len() < *length {
                        return Ok(None);
                    }
                    let frame = whole(*kind, payload.split().freeze())?;
                    self.state = between();
                    return Ok(Some(frame));
                }
            }
        }
    }

    /// Whether the half may end here.
    pub(crate) fn is_between_frames(&self) -> bool {
        let done = match &self.state {
            State::Between(start) => start.is_empty(),
            State::Data(left) | State::Skipping(left) => *left == 0,
            State::Collecting(..) => false,
        };
        done && self.input.is_empty()
    }
}

fn between() -> State {
    State::Between(BytesMut::new())
}

fn take(input: &mut Bytes, left: &mut u64) -> Bytes {
    let most = usize::try_from(*left).unwrap_or(usize::MAX);
    let piece = input.split_to(most.min(input.len()));
    *left -= piece.len() as u64;
    piece
}

fn begin(kind: u8, length: u64) -> Result<State, Fault> {
    let bound = match kind {
        DATA => DATA_BYTES as u64,
        REQUEST_HEAD | RESPONSE_HEAD => HEAD_BYTES as u64,
        TRAILERS => TRAILERS_BYTES,
        PROBLEM => PROBLEM_BYTES,
        FIRST_SKIPPED.. => SKIPPED_BYTES,
        _ => return Err(Fault::Malformed),
    };
    if length > bound {
        return Err(Fault::TooLarge);
    }
    Ok(match kind {
        DATA => State::Data(length),
        FIRST_SKIPPED.. => State::Skipping(length),
        // The bound is far below what fits.
        _ => State::Collecting(kind, length as usize, BytesMut::new()),
    })
}

fn whole(kind: u8, mut payload: Bytes) -> Result<Frame, Fault> {
    Ok(match kind {
        REQUEST_HEAD => Frame::RequestHead(payload),
        RESPONSE_HEAD => Frame::ResponseHead(payload),
        TRAILERS => Frame::Trailers,
        _ if payload.len() < 2 => return Err(Fault::Malformed),
        _ => Frame::Problem(payload.get_u16()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(reader: &mut Reader, bytes: &[u8]) -> Result<Vec<Frame>, Fault> {
        reader.push(Bytes::copy_from_slice(bytes));
        let mut frames = Vec::new();
        while let Some(frame) = reader.next()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    fn encoded() -> Vec<u8> {
        let mut bytes = Frame::request_head(b"head").to_vec();
        Frame::data(Bytes::from(vec![7; 70_000]), |b| {
            bytes.extend_from_slice(&b)
        });
        // A type that is not known yet, with three bytes, and trailers.
        bytes.extend_from_slice(&[0x41, 3, 1, 2, 3, TRAILERS, 1, 0]);
        bytes
    }

    /// Protocol §8.8: frames are the same however the stream cuts them.
    #[test]
    fn frames_do_not_depend_on_how_they_arrive() {
        let bytes = encoded();
        for step in [1, 2, 3, 1_000, bytes.len()] {
            let mut reader = Reader::new();
            let (mut head, mut body, mut trailers) = (0, 0, 0);
            for piece in bytes.chunks(step) {
                for frame in all(&mut reader, piece).expect("well formed") {
                    match frame {
                        Frame::RequestHead(payload) => {
                            assert_eq!(&payload[..], b"head");
                            head += 1;
                        }
                        Frame::Data(piece) => {
                            assert!(piece.iter().all(|b| *b == 7));
                            body += piece.len();
                        }
                        Frame::Trailers => trailers += 1,
                        other => panic!("{other:?}"),
                    }
                }
            }
            assert_eq!((head, body, trailers), (1, 70_000, 1), "step {step}");
            assert!(reader.is_between_frames());
        }
    }

    #[test]
    fn single_bytes_do_not_cost_more_than_bytes() {
        let mut bytes = Frame::request_head(b"head").to_vec();
        bytes.extend([DATA, 1, 7].repeat(20_000));
        bytes.extend_from_slice(&[TRAILERS, 1, 0]);
        let frames = all(&mut Reader::new(), &bytes).expect("well formed");
        let length = |frame: &Frame| match frame {
            Frame::Data(piece) => piece.len(),
            _ => 0,
        };
        assert_eq!(frames.iter().map(length).sum::<usize>(), 20_000);
        assert_eq!(frames.len(), 4, "the head, two pieces, the trailers");
        assert_eq!(frames.last(), Some(&Frame::Trailers), "in their order");
    }

    #[test]
    fn a_half_that_ends_inside_a_frame_shows() {
        let bytes = encoded();
        for cut in [1, 2, 5, 10, 1_000, bytes.len() - 1] {
            let mut reader = Reader::new();
            all(&mut reader, &bytes[..cut]).expect("well formed so far");
            assert!(!reader.is_between_frames(), "cut at {cut}");
        }
    }

    #[test]
    fn unknown_types_and_sizes_without_bound_are_refused_before_they_come() {
        let fault = |bytes: &[u8]| all(&mut Reader::new(), bytes).unwrap_err();
        assert_eq!(fault(&[0x05, 0]), Fault::Malformed);
        assert_eq!(fault(&[0x3F, 0]), Fault::Malformed);
        for kind in [
            DATA,
            REQUEST_HEAD,
            RESPONSE_HEAD,
            TRAILERS,
            PROBLEM,
            0x40,
            0xFF,
        ] {
            let mut bytes = vec![kind];
            bytes.extend_from_slice(&u64::MAX.to_be_bytes());
            assert_eq!(fault(&bytes), Fault::TooLarge, "{kind}");
        }
        assert_eq!(fault(&[PROBLEM, 1, 0]), Fault::Malformed);
    }

    #[test]
    fn numbers_are_written_and_read_alike() {
        for value in [
            0,
            63,
            64,
            16_383,
            16_384,
            (1 << 30) - 1,
            1 << 30,
            (1 << 62) - 1,
        ] {
            let mut out = BytesMut::new();
            put_varint(&mut out, value);
            let mut bytes = out.freeze();
            assert_eq!(take_varint(&mut bytes), Some(value));
            assert!(bytes.is_empty());
        }
        assert_eq!(take_varint(&mut Bytes::new()), None);
        assert_eq!(take_varint(&mut Bytes::from_static(&[0x40])), None);
    }
}
