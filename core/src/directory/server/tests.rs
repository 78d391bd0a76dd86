use super::*;
use crate::rng::Rng;
use core::net::SocketAddr;
use quickcheck::quickcheck;

const NOW: Instant = Instant::from_millis(10_000);

fn after_s(seconds: u64) -> Instant {
    NOW + Duration::from_secs(seconds)
}

fn id(number: u32) -> NodeId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    bytes[28..].copy_from_slice(&number.to_be_bytes());
    NodeId::from_bytes(bytes)
}

fn source(number: u32) -> SocketAddr {
    SocketAddr::from((number.to_be_bytes(), 4_000))
}

fn named(number: u32, name: &str, sequence: u64) -> Registration {
    Registration {
        record: Arc::new(KeyRecord::unsigned(id(number), 1, number as u8)),
        name: Some(NameClaim {
            name: name.into(),
            sequence,
            life_s: 3_600,
        }),
        listed: true,
    }
}

fn register(d: &mut Directory, now: Instant, n: u32, name: &str) -> Result<Registered, Refusal> {
    d.on_register(now, PeerKey(n), source(n), named(n, name, 1))
}

fn directory() -> Directory {
    Directory::new(DirectoryConfig::default())
}

fn owner(d: &Directory, now: Instant, name: &str) -> Option<NodeId> {
    d.lookup(now, Target::Name(name)).map(|e| e.id)
}

/// What hangs together in the tables; and nothing is left over when nobody is registered.
fn assert_consistent(d: &Directory) {
    assert_eq!(d.by_id.len(), d.entries.len());
    let registered = d.entries.iter().filter(|(_, e)| e.session.is_some());
    assert_eq!(d.len(), registered.count());
    for (slot, entry) in &d.entries {
        let slot = u32::try_from(slot).unwrap();
        assert_eq!(d.ends.get(slot).is_some(), entry.session.is_some());
        assert_eq!(
            entry.session.and_then(|s| d.slot_in(s)),
            entry.session.map(|_| slot)
        );
    }
    let behind: u32 = d.sources.values().sum();
    assert_eq!(behind as usize, d.entries.len());
    let names: usize = d.entries.iter().map(|(_, e)| usize::from(e.names)).sum();
    assert_eq!(names, d.listed.len() + d.unlisted.len());
    let alive = d.entries.iter().filter(|(_, e)| e.is_named).count();
    assert_eq!(names, alive + d.graces.len());
}

/// Protocol §10.1.
#[test]
fn a_registration_lives_60_s_and_each_packet_renews_it() {
    let mut d = directory();
    let life = register(&mut d, NOW, 1, "Ada").unwrap().life;
    assert_eq!(life, REGISTRATION_LIFE);
    d.on_authentic_packet(after_s(50), PeerKey(1));
    d.on_timeout(after_s(60));
    assert_eq!(owner(&d, after_s(109), "aDA"), Some(id(1)));
    assert_eq!(
        owner(&d, after_s(110), "ada"),
        None,
        "even before the timer"
    );
    assert_eq!(d.next_timeout().unwrap().at, after_s(110));
    d.on_timeout(after_s(110));
    assert_eq!((d.len(), d.poll_ended()), (0, Some(PeerKey(1))));
    d.on_authentic_packet(after_s(111), PeerKey(1));
    assert!(d.lookup_session(after_s(111), PeerKey(1)).is_none());
    assert_consistent(&d);
}

/// Protocol §2.3, §10.1.
#[test]
fn a_name_stays_its_owners_for_300_s_and_is_free_then() {
    let mut d = directory();
    register(&mut d, NOW, 1, "Ada").unwrap();
    d.on_session_closed(after_s(10), PeerKey(1));
    assert_eq!(owner(&d, after_s(10), "ada"), None);
    let squatter = register(&mut d, after_s(309), 2, "ADA");
    assert_eq!(squatter, Err(Refusal::Taken));
    register(&mut d, after_s(310), 2, "ADA").unwrap();
    assert_eq!(owner(&d, after_s(310), "ada"), Some(id(2)));
    assert_eq!(
        register(&mut d, after_s(311), 1, "Ada"),
        Err(Refusal::Taken)
    );
    d.on_session_closed(after_s(320), PeerKey(2));
    let back = d.on_register(after_s(400), PeerKey(9), source(9), named(2, "ADA", 1));
    assert!(
        back.is_ok(),
        "the owner takes it up again in its grace time"
    );
    d.on_timeout(after_s(10_000));
    assert!(d.entries.is_empty() && d.next_timeout().is_none());
    assert_consistent(&d);
}

#[test]
fn a_new_session_of_an_id_replaces_the_old_one() {
    let mut d = directory();
    register(&mut d, NOW, 1, "ada").unwrap();
    let moved = d.on_register(NOW, PeerKey(7), source(7), named(1, "ada", 1));
    assert!(moved.is_ok());
    assert_eq!(
        d.lookup(NOW, Target::Id(id(1))).unwrap().session,
        PeerKey(7)
    );
    d.on_session_closed(NOW, PeerKey(1));
    assert_eq!(
        owner(&d, NOW, "ada"),
        Some(id(1)),
        "the old session is nothing now"
    );
    assert_eq!(d.len(), 1);
    assert_consistent(&d);
}

#[test]
fn sequences_never_go_back_and_contradictions_are_evidence() {
    let mut d = directory();
    let mut put = |r| d.on_register(NOW, PeerKey(1), source(1), r);
    put(named(1, "ada", 5)).unwrap();
    assert_eq!(put(named(1, "ada", 4)), Err(Refusal::Stale));
    assert_eq!(put(named(1, "eve", 5)), Err(Refusal::Conflict));
    assert_eq!(
        put(named(1, "Ada", 5)),
        Err(Refusal::Conflict),
        "spelling counts"
    );
    let mut other_record = named(1, "ada", 5);
    other_record.record = Arc::new(KeyRecord::unsigned(id(1), 1, 0));
    assert_eq!(put(other_record.clone()), Err(Refusal::Conflict));
    other_record.record = Arc::new(KeyRecord::unsigned(id(1), 2, 0));
    assert!(put(other_record).is_ok());
    assert_eq!(
        put(named(1, "ada", 5)),
        Err(Refusal::Stale),
        "the old key record"
    );
    assert_eq!((d.counters().conflicts, d.counters().refused), (3, 5));
}

#[test]
fn a_key_owns_8_names_and_a_source_64_keys() {
    let mut d = directory();
    let mut put = |n: u32, name: &str, sequence| {
        d.on_register(NOW, PeerKey(n), source(1), named(n, name, sequence))
    };
    for n in 1..=8u32 {
        assert!(put(1, &format!("name{n}"), u64::from(n)).is_ok());
    }
    assert_eq!(put(1, "name9", 9), Err(Refusal::Full));
    assert!(put(1, "NAME3", 9).is_ok(), "one of its own in grace time");
    for n in 2..=64 {
        assert!(put(n, &format!("other{n}"), 1).is_ok());
    }
    assert_eq!(put(65, "other65", 1), Err(Refusal::Full));
    assert_consistent(&d);
    d.on_session_closed(NOW, PeerKey(64));
    let again = d.on_register(NOW, PeerKey(65), source(1), named(65, "new", 1));
    assert_eq!(again, Err(Refusal::Full), "names in grace time count");
    let later = after_s(300);
    for n in 1..64 {
        d.on_authentic_packet(after_s(59), PeerKey(n));
    }
    assert!(
        d.on_register(later, PeerKey(65), source(1), named(65, "new", 1))
            .is_ok()
    );
    assert_consistent(&d);
}

#[test]
fn the_total_is_bounded_and_the_fresh_do_not_drive_out_the_old() {
    let mut d = Directory::new(DirectoryConfig {
        registrations: 2,
        ..DirectoryConfig::default()
    });
    register(&mut d, NOW, 1, "ada").unwrap();
    register(&mut d, NOW, 2, "bob").unwrap();
    assert_eq!(register(&mut d, NOW, 3, "eve"), Err(Refusal::Full));
    assert!(
        register(&mut d, NOW, 1, "ada").is_ok(),
        "renewing needs no room"
    );
}

#[test]
fn invalid_claims_are_refused() {
    let mut d = directory();
    assert_eq!(register(&mut d, NOW, 1, "a b"), Err(Refusal::Malformed));
    let mut short = named(1, "ada", 1);
    short.name.as_mut().unwrap().life_s = 0;
    let refused = d.on_register(NOW, PeerKey(1), source(1), short.clone());
    assert_eq!(refused, Err(Refusal::Malformed));
    short.name.as_mut().unwrap().life_s = 5;
    let accepted = d.on_register(NOW, PeerKey(1), source(1), short).unwrap();
    assert_eq!(accepted.life, Duration::from_secs(5));
    d.on_authentic_packet(after_s(4), PeerKey(1));
    assert!(owner(&d, after_s(8), "ada").is_some() && owner(&d, after_s(9), "ada").is_none());
}

quickcheck! {
    /// 100 keys race for a name in any order, with departures, packets and silence in between: whoever has it
    /// keeps it until 300 s after its registration ended, and nobody else has it meanwhile.
    fn a_name_has_one_owner_at_every_instant(steps: Vec<(u8, u8, u8)>) -> bool {
        let mut d = directory();
        let mut now = NOW;
        // Owner, and the time until which the name is its own.
        let mut model: Option<(u32, Instant)> = None;
        let mut alive: BTreeMap<u32, Instant> = BTreeMap::new();
        let spellings = ["prize", "Prize", "PRIZE"];
        for (kind, key, pause_s) in steps {
            now += Duration::from_secs(u64::from(pause_s));
            let key = u32::from(key) % 100;
            model = model.filter(|(_, until)| *until > now);
            let is_alive = alive.get(&key).is_some_and(|end| *end > now);
            let owned = model.is_none_or(|m| m.0 == key);
            let ends = now + REGISTRATION_LIFE;
            match kind % 4 {
                0 if is_alive => {
                    d.on_authentic_packet(now, PeerKey(key));
                    alive.insert(key, ends);
                    model = Some((key, ends + NAME_GRACE));
                }
                1 if is_alive => {
                    d.on_session_closed(now, PeerKey(key));
                    alive.remove(&key);
                    model = Some((key, now + NAME_GRACE));
                }
                2 => d.on_timeout(now),
                _ => {
                    let spelling = spellings[key as usize % 3];
                    let result = register(&mut d, now, key, spelling);
                    if result.is_ok() != owned {
                        return false;
                    }
                    if owned {
                        alive.insert(key, ends);
                        model = Some((key, ends + NAME_GRACE));
                    }
                }
            }
            let expected = model.filter(|m| alive.get(&m.0).is_some_and(|end| *end > now));
            let seen = owner(&d, now, "prize");
            if seen != expected.map(|m| id(m.0)) || d.listed.len() > 1 {
                return false;
            }
        }
        d.on_timeout(now);
        assert_consistent(&d);
        true
    }
}

/// Somebody at a source of its own.
fn asks(n: u32) -> Requester {
    asker(n, n)
}

fn asker(n: u32, behind: u32) -> Requester {
    Requester {
        session: PeerKey(n),
        id: id(n),
        source: source(behind),
    }
}

#[test]
fn paging_covers_all_listed_names_and_no_others() {
    let mut d = directory();
    let mut expected = Vec::new();
    let mut rng = Rng::from_seed([1; 32]);
    for n in 0..300 {
        let name = format!("Peer-{:x}", rng.next_u32());
        let mut registration = named(n, &name, 1);
        registration.listed = n % 3 != 0;
        d.on_register(NOW, PeerKey(n), source(n), registration)
            .unwrap();
        match n % 3 {
            1 => expected.push((name.to_lowercase(), id(n))),
            2 => d.on_session_closed(NOW, PeerKey(n)),
            _ => {}
        }
    }
    register(&mut d, NOW, 1_000, "pee").unwrap();
    register(&mut d, NOW, 1_001, "pefs").unwrap();
    expected.sort();
    for sent in [1, 7, 20] {
        let (mut found, mut cursor) = (Vec::new(), None::<Box<str>>);
        for asked in 0.. {
            let asker = asker(5_000 + asked, 5_000 + asked);
            let page = d.on_search(NOW, &asker, "pEEr", cursor.as_deref()).unwrap();
            assert!(page.entries.len() <= 20);
            let part = page.entries.iter().take(sent);
            found.extend(part.map(|(name, id)| (name.to_lowercase(), *id)));
            cursor = match page.entries.len() > sent {
                true => page.entries.get(sent - 1).map(|e| e.0.clone()),
                false => page.cursor,
            };
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{sent} of each page");
    }
}

#[test]
fn searches_need_three_characters() {
    let mut d = directory();
    let short = |d: &mut Directory, prefix: &str| d.on_search(NOW, &asker(1, 1), prefix, None);
    assert_eq!(short(&mut d, ""), Err(Refusal::Malformed));
    assert_eq!(
        short(&mut d, "äb"),
        Err(Refusal::Malformed),
        "four bytes, two characters"
    );
    assert_eq!(short(&mut d, "äbc"), Ok(SearchPage::default()));
    assert_eq!(short(&mut d, &"x".repeat(65)), Err(Refusal::Malformed));
}

#[test]
fn searches_are_throttled_by_identity_and_by_source() {
    let mut d = directory();
    let mut search = |now, asker: Requester| d.on_search(now, &asker, "abc", None);
    for _ in 0..20 {
        assert!(search(NOW, asker(1, 1)).is_ok());
    }
    let retry_after = Duration::from_secs(6);
    let throttled = Err(Refusal::Throttled { retry_after });
    assert_eq!(
        search(NOW, asker(1, 2)),
        throttled,
        "same identity elsewhere"
    );
    assert_eq!(
        search(NOW, asker(2, 1)),
        throttled,
        "other identity, same address"
    );
    assert!(search(NOW, asker(2, 2)).is_ok());
    assert!(search(NOW + retry_after, asker(1, 1)).is_ok());
    let mut passed = 0;
    for s in 7..=600 {
        passed += u32::from(search(after_s(s), asker(1, 1)).is_ok());
    }
    assert!((98..=100).contains(&passed), "10 a minute: {passed}");
}

/// Protocol §6.2.
#[test]
fn connect_orders_name_both_sides_and_no_address() {
    let mut d = directory();
    register(&mut d, NOW, 1, "Ada").unwrap();
    register(&mut d, NOW, 2, "Bob").unwrap();
    let order = d
        .on_connect_request(NOW, &asks(1), Target::Name("BOB"))
        .unwrap();
    assert_eq!(
        (order.requester.id, order.requester.name),
        (id(1), Some("Ada"))
    );
    assert_eq!((order.target.id, order.target.session), (id(2), PeerKey(2)));
    assert_eq!(*order.target.record, KeyRecord::unsigned(id(2), 1, 2));
    let mut ask = |from, target| d.on_connect_request(NOW, &asks(from), target).err();
    assert_eq!(ask(1, Target::Id(id(1))), Some(Refusal::OwnId));
    assert_eq!(ask(1, Target::Id(id(3))), Some(Refusal::Unknown));
    assert_eq!(ask(3, Target::Id(id(1))), Some(Refusal::NotRegistered));
}

#[test]
fn connect_orders_are_throttled_on_both_sides() {
    let mut d = directory();
    for n in 0..10 {
        register(&mut d, NOW, n, &format!("peer{n}")).unwrap();
    }
    let mut count = |from: u32, to: u32| {
        let target = Target::Id(id(to));
        let results = (0..40).map(|_| d.on_connect_request(NOW, &asks(from), target).err());
        results.filter(Option::is_none).count()
    };
    assert_eq!(count(1, 0), 30);
    for from in 2..7 {
        assert_eq!(
            count(from, 0),
            6,
            "half of the 60 is for those who ask little"
        );
    }
    assert_eq!(count(7, 0), 0, "the target had its 60");
    let refused = d.on_connect_request(NOW, &asks(8), Target::Id(id(0))).err();
    let retry_after = Duration::from_secs(1);
    assert_eq!(refused, Some(Refusal::Throttled { retry_after }));
    let unknown = Target::Id(id(99));
    for _ in 0..30 {
        let refused = d.on_connect_request(NOW, &asks(9), unknown).err();
        assert_eq!(refused, Some(Refusal::Unknown));
    }
    let guessing = d.on_connect_request(NOW, &asks(9), unknown).err();
    assert!(
        guessing.and_then(Refusal::retry_after).is_some(),
        "guesses cost as much"
    );
}

/// However many keys of one source ask for a target, somebody else who asks now and then is introduced.
#[test]
fn sec_23_a_source_that_asks_much_for_a_target_keeps_nobody_out() {
    for keys in [2, 8, 40] {
        let mut d = directory();
        let (target, honest) = (100, 101);
        for n in [target, honest] {
            d.on_register(NOW, PeerKey(n), source(n), named(n, &format!("peer{n}"), 1))
                .unwrap();
        }
        for n in 0..keys {
            d.on_register(NOW, PeerKey(n), source(1), named(n, &format!("peer{n}"), 1))
                .unwrap();
        }
        let (mut asked, mut passed) = (0, 0);
        for s in 0..300 {
            let now = after_s(s);
            for n in [target, honest].into_iter().chain(0..keys) {
                d.on_authentic_packet(now, PeerKey(n));
            }
            for n in 0..keys {
                if s % 2 == u64::from(n % 2) {
                    let _ = d.on_connect_request(now, &asker(n, 1), Target::Id(id(target)));
                }
            }
            if s % 10 == 9 {
                asked += 1;
                let honest = asks(honest);
                let result = d.on_connect_request(now, &honest, Target::Id(id(target)));
                passed += u32::from(result.is_ok());
            }
        }
        assert_eq!((asked, passed), (30, 30), "{keys} keys");
    }
}

#[test]
fn a_hundred_thousand_registrations_stay_cheap() {
    const COUNT: u32 = 100_000;
    let mut d = directory();
    for n in 0..COUNT {
        register(&mut d, NOW, n, &format!("Peer{n:06}")).unwrap();
    }
    // Twenty packets each: no timer moves.
    for s in 1..=20 {
        for n in 0..COUNT {
            d.on_authentic_packet(after_s(s * 2), PeerKey(n));
        }
    }
    assert_eq!(d.counters().timers_fired, 0);
    // Ten minutes of life without packets, renewals or names: once per entry for each of its three ends.
    d.on_search(after_s(41), &asker(1, 1), "peer05", None)
        .unwrap();
    assert_eq!(d.counters().names_walked, 21, "a page and one to see more");
    d.on_timeout(after_s(60));
    assert_eq!(d.counters().timers_fired, u64::from(COUNT));
    assert_eq!(d.len(), COUNT as usize);
    assert!(
        approximate_bytes(&d) / COUNT as usize <= 480,
        "{}",
        approximate_bytes(&d)
    );
    d.on_timeout(after_s(600));
    assert_eq!(d.counters().timers_fired, 3 * u64::from(COUNT));
    assert!(d.entries.is_empty() && d.sources.is_empty() && d.by_id.is_empty());
}

/// Contents, with nodes of ordered maps three quarters full and 16 bytes of the allocator for each box.
fn approximate_bytes(d: &Directory) -> usize {
    fn map<K, V>(len: usize) -> usize {
        len * (size_of::<K>() + size_of::<V>()) * 4 / 3
    }
    let boxed = |bytes: usize| bytes + 16;
    let name = |name: &SmolStr| {
        if name.is_heap_allocated() {
            boxed(name.len())
        } else {
            0
        }
    };
    let entries = d.entries.iter().map(|(_, e)| {
        let record = boxed(size_of::<KeyRecord>() + 16);
        size_of::<KeyHolder>() + 8 + record + e.claimed.as_ref().map_or(0, name)
    });
    let keys = d.listed.keys().chain(d.unlisted.keys());
    entries.sum::<usize>()
        + keys.map(name).sum::<usize>()
        + map::<SmolStr, u32>(d.listed.len())
        + map::<SmolStr, Hold>(d.unlisted.len())
        + map::<(u32, u32), ()>(d.by_id.len())
        + size_of::<u32>() * d.by_session.capacity()
        + map::<SourceKey, u32>(d.sources.len())
        + 16 * d.len()
}
