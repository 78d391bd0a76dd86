//! Cookies bind a source address and an initiation, for a while.

use core::net::SocketAddr;

use super::*;
use crate::limits::COOKIE_SECRET_LIFE;

#[test]
fn a_cookie_proves_one_source_for_a_while() {
    let (anna, bob) = (identity(1), identity(2));
    let home: SocketAddr = "192.0.2.1:4000".parse().unwrap();
    let mut jar = CookieJar::new(bob.node_id(), rng(5));
    jar.on_time(Instant::EPOCH);
    for mut call in [ik(&anna, &bob), xx(&anna, &bob)] {
        let first = call.datagram().to_vec();
        assert!(!jar.check_mac2(&first, home));
        let reply = jar.reply(&first, home, &mut rng(6)).unwrap();
        assert_eq!(reply.len(), COOKIE_REPLY_BYTES);
        assert_eq!(receiver_index(&reply), Some(1));
        for (bit, flipped) in flips(&reply) {
            assert!(call.on_cookie(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..reply.len() {
            assert!(call.on_cookie(&reply[..length]).is_err());
        }
        assert_eq!(call.datagram(), first);
        call.on_cookie(&reply).unwrap();
        assert_eq!(initiation_body(call.datagram()), initiation_body(&first));
        assert!(jar.check_mac2(call.datagram(), home));
        for other in ["192.0.2.1:4001", "192.0.2.2:4000", "[2001:db8::1]:4000"] {
            assert!(!jar.check_mac2(call.datagram(), other.parse().unwrap()));
        }
    }
}

#[test]
fn cookies_outlive_one_change_of_the_secret() {
    let (anna, bob) = (identity(1), identity(2));
    let home: SocketAddr = "[2001:db8::7]:4000".parse().unwrap();
    let mut jar = CookieJar::new(bob.node_id(), rng(5));
    jar.on_time(Instant::EPOCH);
    let mut call = ik(&anna, &bob);
    let reply = jar.reply(call.datagram(), home, &mut rng(6)).unwrap();
    call.on_cookie(&reply).unwrap();
    let life = COOKIE_SECRET_LIFE;
    let mut now = Instant::EPOCH + life;
    jar.on_time(now);
    assert!(jar.check_mac2(call.datagram(), home));
    now += life;
    jar.on_time(now);
    assert!(!jar.check_mac2(call.datagram(), home));
}

#[test]
fn a_cookie_for_another_initiation_is_refused() {
    let (anna, bob) = (identity(1), identity(2));
    let home: SocketAddr = "192.0.2.1:4000".parse().unwrap();
    let jar = CookieJar::new(bob.node_id(), rng(5));
    let reply = jar
        .reply(xx(&anna, &bob).datagram(), home, &mut rng(6))
        .unwrap();
    assert_eq!(
        ik(&anna, &bob).on_cookie(&reply),
        Err(HandshakeError::Crypto)
    );
    assert_eq!(jar.reply(&reply, home, &mut rng(6)), None);
}
