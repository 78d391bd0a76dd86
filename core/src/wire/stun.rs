//! STUN binding (RFC 8489; protocol §11): reads a binding request, writes the success response.
//!
//! Everything else of STUN is ignored. The response has 32 bytes (IPv4) or 44 (IPv6), at most 2.2
//! times the shortest request. Attributes of a request are walked, so that what only looks like
//! STUN is not answered, and otherwise ignored.

use core::net::{IpAddr, SocketAddr};

use super::{NoRoom, Reader, Writer};

/// Bytes of a STUN header.
pub(crate) const HEADER_BYTES: usize = 20;
/// Longest response written here, bytes.
pub(crate) const RESPONSE_BYTES_MAX: usize = HEADER_BYTES + 24;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const MAGIC_COOKIE: u32 = 0x2112_A442;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const FAMILY_IPV4: u8 = 1;
const FAMILY_IPV6: u8 = 2;

/// What the response has to repeat.
pub(crate) type TransactionId = [u8; 12];

/// The transaction id of a well-formed binding request; `None` for everything else.
#[must_use]
pub(crate) fn parse_binding_request(datagram: &[u8]) -> Option<TransactionId> {
    let mut r = Reader::new(datagram);
    let kind = r.u16("type").ok()?;
    let len = usize::from(r.u16("length").ok()?);
    let cookie = r.u32("cookie").ok()?;
    let transaction = r.array("transaction").ok()?;
    let well_formed = kind == BINDING_REQUEST
        && cookie == MAGIC_COOKIE
        && len.is_multiple_of(4)
        && len == r.remaining();
    if !well_formed {
        return None;
    }
    while !r.is_empty() {
        let _kind = r.u16("attribute").ok()?;
        let len = usize::from(r.u16("attribute length").ok()?);
        r.take(len.next_multiple_of(4), "attribute value").ok()?;
    }
    Some(transaction)
}

/// Writes the success response that tells `observed`; returns its length in bytes.
///
/// # Errors
/// [`NoRoom`] where `buffer` has fewer than [`RESPONSE_BYTES_MAX`] bytes and it does not fit.
pub(crate) fn write_success(
    buffer: &mut [u8],
    transaction: &TransactionId,
    observed: SocketAddr,
) -> Result<usize, NoRoom> {
    let mut mask = [0; 16];
    let mut m = Writer::new(&mut mask);
    m.put_u32(MAGIC_COOKIE)?;
    m.put_bytes(transaction)?;

    let value_len = if observed.is_ipv4() { 8 } else { 20 };
    let mut w = Writer::new(buffer);
    w.put_u16(BINDING_SUCCESS)?;
    w.put_u16(4 + value_len)?;
    w.put_u32(MAGIC_COOKIE)?;
    w.put_bytes(transaction)?;
    w.put_u16(XOR_MAPPED_ADDRESS)?;
    w.put_u16(value_len)?;
    w.put_u8(0)?;
    let put_masked = |w: &mut Writer<'_>, family: u8, ip: &[u8]| {
        w.put_u8(family)?;
        w.put_u16(observed.port() ^ (MAGIC_COOKIE >> 16) as u16)?;
        for (byte, mask) in ip.iter().zip(&mask) {
            w.put_u8(byte ^ mask)?;
        }
        Ok(())
    };
    match observed.ip() {
        IpAddr::V4(ip) => put_masked(&mut w, FAMILY_IPV4, &ip.octets())?,
        IpAddr::V6(ip) => put_masked(&mut w, FAMILY_IPV6, &ip.octets())?,
    }
    Ok(w.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    const TRANSACTION: TransactionId = [
        0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
    ];

    fn request(attributes: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, attributes.len() as u8, 0x21, 0x12, 0xA4, 0x42];
        bytes.extend(TRANSACTION);
        bytes.extend(attributes);
        bytes
    }

    #[test]
    fn a_request_with_attributes_is_recognised_and_no_cut_of_it() {
        let software = [0x80, 0x22, 0, 5, b'h', b'e', b'l', b'l', b'o', 0, 0, 0];
        for bytes in [request(&[]), request(&software)] {
            assert_eq!(parse_binding_request(&bytes), Some(TRANSACTION));
            for cut in 0..bytes.len() {
                assert_eq!(parse_binding_request(&bytes[..cut]), None, "{cut}");
            }
        }
        assert_eq!(
            parse_binding_request(&request(&[0, 6, 0, 9, 1, 2, 3, 4])),
            None
        );
        assert_eq!(parse_binding_request(&request(&[0, 6, 0xFF, 0xFF])), None);
        assert_eq!(parse_binding_request(&request(&[0, 6])), None);
        let mut response = request(&[]);
        response[0] = 1;
        assert_eq!(parse_binding_request(&response), None);
    }

    #[test]
    fn the_mapped_addresses_of_rfc_5769_are_written() {
        let mut buffer = [0; RESPONSE_BYTES_MAX];
        let v4 = "192.0.2.1:32853".parse().unwrap();
        assert_eq!(write_success(&mut buffer, &TRANSACTION, v4), Ok(32));
        assert_eq!(buffer[..4], [1, 1, 0, 12]);
        assert_eq!(
            buffer[20..32],
            [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]
        );
        let v6 = "[2001:db8:1234:5678:11:2233:4455:6677]:32853"
            .parse()
            .unwrap();
        assert_eq!(write_success(&mut buffer, &TRANSACTION, v6), Ok(44));
        assert_eq!(
            buffer[20..44],
            [
                0, 0x20, 0, 20, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79,
                0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
            ]
        );
        assert_eq!(
            write_success(&mut buffer[..31], &TRANSACTION, v4),
            Err(NoRoom)
        );
    }

    quickcheck! {
        fn arbitrary_attributes_never_panic(attributes: Vec<u8>) -> bool {
            let attributes = &attributes[..attributes.len().min(255)];
            parse_binding_request(&request(attributes)).is_none_or(|t| t == TRANSACTION)
        }
    }
}
