use super::*;
use quickcheck::quickcheck;

fn identity(n: u8) -> Identity {
    Identity::from_seeds(&[n; 32], &[n ^ 0xff; 32], 7).unwrap()
}

/// Protocol §2.2.
#[test]
fn a_key_record_survives_its_bytes_and_no_other() {
    let identity = identity(1);
    let bytes = identity.record().to_bytes();
    assert_eq!(
        KeyRecord::parse_verified(&bytes).as_ref(),
        Ok(identity.record())
    );
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(KeyRecord::parse_verified(&flipped).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(KeyRecord::parse_verified(&bytes[..length]).is_err());
    }
}

#[test]
fn a_record_signed_by_another_key_is_refused() {
    let mut bytes = identity(1).record().to_bytes();
    bytes[1..33].copy_from_slice(identity(2).node_id().as_bytes());
    assert_eq!(
        KeyRecord::parse_verified(&bytes),
        Err(RecordError::Signature)
    );
}

/// Protocol §2.3.
#[test]
fn a_name_record_survives_its_bytes_and_no_other() {
    let record = identity(3).sign_name("Zoë", 4, 60).unwrap();
    let bytes = record.to_bytes();
    assert_eq!(NameRecord::parse_verified(&bytes), Ok(record));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(NameRecord::parse_verified(&flipped).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(NameRecord::parse_verified(&bytes[..length]).is_err());
    }
    assert!(NameRecord::parse_verified(&[bytes, vec![0]].concat()).is_err());
}

/// Protocol §2.
#[test]
fn the_same_seeds_make_the_same_identity() {
    let (a, b) = (identity(9), identity(9));
    assert_eq!(a.record().to_bytes(), b.record().to_bytes());
    assert_ne!(a.node_id(), identity(8).node_id());
}

quickcheck! {
    fn no_bytes_panic_the_parsers(bytes: Vec<u8>) -> bool {
        KeyRecord::parse_verified(&bytes).is_err() && NameRecord::parse_verified(&bytes).is_err()
    }
}
