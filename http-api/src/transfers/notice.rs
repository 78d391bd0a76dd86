//! What the two sides of a transfer tell each other by requests (protocol §8.11), each until it is answered.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use p2p_storage::transfers::{MANIFEST_BYTES, Offer, Placed, Reason};

/// Longest label, bytes.
const LABEL_BYTES: usize = 200;

const OFFER: u8 = 1;
const ACCEPTED: u8 = 2;
const DECLINED: u8 = 3;
const DONE: u8 = 4;
const ENDED: u8 = 5;

/// A word of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The sender has something.
    Offer(Offer),
    /// The receiver's owner wants it.
    Accepted,
    /// The receiver's owner does not want it.
    Declined,
    /// Everything is in its place on the receiver's disk, for good: the receipt.
    Done(Placed),
    /// It ends without: the owner's word where there is no reason.
    Ended(Option<Reason>),
}

impl Notice {
    /// The request for a transfer, by the sender's number.
    pub(super) fn encode(&self, number: u64) -> Bytes {
        let mut out = BytesMut::new();
        let mut begin = |kind| {
            out.put_u8(kind);
            out.put_u64(number);
        };
        match self {
            Self::Offer(offer) => {
                begin(OFFER);
                out.put_slice(&offer.root);
                out.put_u64(offer.manifest_bytes);
                out.put_u64(offer.files);
                out.put_u64(offer.bytes);
                out.put_slice(offer.label.as_bytes());
            }
            Self::Accepted => begin(ACCEPTED),
            Self::Declined => begin(DECLINED),
            Self::Done(placed) => {
                begin(DONE);
                out.put_u64(placed.files);
                out.put_u64(placed.bytes);
                out.put_u64(placed.skipped);
            }
            Self::Ended(reason) => {
                begin(ENDED);
                let place = Reason::ALL.iter().position(|r| Some(r) == reason.as_ref());
                out.put_u8(place.map_or(0, |place| u8::try_from(place + 1).unwrap_or(0)));
            }
        }
        out.freeze()
    }

    /// Reads a request: the sender's number, and the word.
    pub(super) fn decode(mut bytes: Bytes) -> Option<(u64, Self)> {
        let kind = bytes.try_get_u8().ok()?;
        let number = bytes.try_get_u64().ok()?;
        let notice = match kind {
            OFFER => Self::Offer(offer(&mut bytes)?),
            ACCEPTED => Self::Accepted,
            DECLINED => Self::Declined,
            DONE => Self::Done(Placed {
                files: bytes.try_get_u64().ok()?,
                bytes: bytes.try_get_u64().ok()?,
                skipped: bytes.try_get_u64().ok()?,
                skipped_names: Vec::new(),
            }),
            ENDED => {
                let place = usize::from(bytes.try_get_u8().ok()?);
                let reason = place.checked_sub(1).map(|place| {
                    // A later version may know more.
                    Reason::ALL.get(place).copied().unwrap_or(Reason::Protocol)
                });
                Self::Ended(reason)
            }
            _ => return None,
        };
        bytes.is_empty().then_some((number, notice))
    }
}

fn offer(bytes: &mut Bytes) -> Option<Offer> {
    let mut root = [0; 32];
    bytes.try_copy_to_slice(&mut root).ok()?;
    let manifest_bytes = bytes.try_get_u64().ok()?;
    let (files, total) = (bytes.try_get_u64().ok()?, bytes.try_get_u64().ok()?);
    let label = bytes.split_off(0);
    let label = core::str::from_utf8(&label).ok()?;
    let is_label = label.len() <= LABEL_BYTES && !label.chars().any(char::is_control);
    let fits = is_label && (1..=MANIFEST_BYTES).contains(&manifest_bytes);
    fits.then(|| Offer {
        root,
        manifest_bytes,
        files,
        bytes: total,
        label: label.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_come_back_and_cut_ones_are_refused() {
        let offer = Offer {
            root: [3; 32],
            manifest_bytes: 60,
            files: 1,
            bytes: 7,
            label: "Zoë".to_owned(),
        };
        let placed = Placed {
            files: 1,
            bytes: 2,
            skipped: 3,
            skipped_names: Vec::new(),
        };
        let mut notices = vec![
            Notice::Offer(offer.clone()),
            Notice::Accepted,
            Notice::Declined,
            Notice::Done(placed),
            Notice::Ended(None),
        ];
        notices.extend(Reason::ALL.map(|reason| Notice::Ended(Some(reason))));
        for notice in notices {
            let bytes = notice.encode(9);
            assert!(bytes.len() <= p2p_core::limits::REQUEST_BODY_BYTES);
            assert_eq!(Notice::decode(bytes.clone()), Some((9, notice.clone())));
            for cut in 0..bytes.len().min(30) {
                assert_eq!(Notice::decode(bytes.slice(..cut)), None, "{notice:?} {cut}");
            }
        }
        for (manifest_bytes, label) in [(0, "a"), (MANIFEST_BYTES + 1, "a"), (1, "a\n")] {
            let bad = Offer {
                manifest_bytes,
                label: label.to_owned(),
                ..offer.clone()
            };
            assert_eq!(Notice::decode(Notice::Offer(bad).encode(1)), None);
        }
    }
}
