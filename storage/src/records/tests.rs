//! One suite for both kinds of records, and what only the disk can do.

use std::fs;
use std::path::PathBuf;

use p2p_core::api::{Channel, ServiceName};

use super::*;
use crate::directory::StateDirectory;
use crate::error::StateErrorKind;

fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn contact(n: u8, petname: &str) -> Contact {
    Contact {
        id: id(n),
        petname: Some(petname.to_owned()),
        trust: Trust::Verified,
        how: "words".to_owned(),
        since_unix_ms: 1_800_000_000_123,
        is_blocked: n.is_multiple_of(2),
        note: None,
    }
}

fn binding(name: &str, n: u8) -> Binding {
    Binding {
        introducer: id(9),
        name: name.to_owned(),
        id: id(n),
        since_unix_ms: 5,
        refused: Some((id(7), 6)),
    }
}

fn folder(test: &str) -> PathBuf {
    let name = format!("p2p-records-{test}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = fs::remove_dir_all(&path);
    path
}

fn invite(n: u8, taken_by: &[u8]) -> Invite {
    Invite {
        id: [n; INVITE_ID_BYTES],
        key: [n; 32],
        uses: 3,
        petname: Some("cy".to_owned()),
        made_unix_ms: 7,
        expires_unix_ms: 8,
        taken_by: taken_by.iter().copied().map(id).collect(),
    }
}

fn join(n: u8) -> Join {
    Join {
        peer: id(n),
        id: [n; INVITE_ID_BYTES],
        key: [n; 32],
        addresses: vec![
            "10.0.0.1:6660".parse().expect("an address"),
            "[::1]:1".parse().expect("an address"),
        ],
        expires_unix_ms: 9,
    }
}

fn kept(kind: KeptKind, document: &str) -> Kept {
    Kept {
        kind,
        name: "site".to_owned(),
        document: document.to_owned(),
    }
}

fn introducer(n: u8) -> KeptIntroducer {
    let address = format!("p2p://{}@introducer.example.org:6660", id(n));
    KeptIntroducer {
        address: address.parse().expect("an address"),
        since_unix_ms: 10,
    }
}

fn message(number: u64, label: Label) -> KeptMessage {
    KeptMessage {
        number,
        peer: id(1),
        is_stranger: number.is_multiple_of(2),
        claimed_name: Some("ada".to_owned()),
        label,
        received_unix_ms: 1_800_000_000_124,
        data: Bytes::from(vec![0xFF; 3]),
    }
}

/// What is written in two steps.
fn changes() -> [Vec<Change>; 2] {
    let help = ServiceName::new("help").expect("a name");
    let to_help = Label {
        channel: Channel::Service(help),
        flags: u32::MAX,
    };
    let first = vec![
        Change::Message(message(1, 7.into())),
        Change::Message(message(2, to_help)),
        Change::Message(message(3, u32::MAX.into())),
        Change::Contact(contact(1, "ada")),
        Change::Contact(contact(2, "ben")),
        Change::Binding(binding("Ada", 1)),
        Change::Binding(binding("ben", 2)),
        Change::Invite(invite(1, &[4])),
        Change::Invite(invite(2, &[])),
        Change::Join(join(5)),
        Change::Join(join(6)),
        Change::Introducer(introducer(7)),
        Change::Introducer(introducer(8)),
        Change::Keep(kept(KeptKind::Service, "first")),
        Change::Keep(kept(KeptKind::Forward, "other")),
    ];
    let mut renamed = contact(1, "Ada L.");
    renamed.note = Some("met in May".to_owned());
    let second = vec![
        Change::Contact(renamed),
        Change::Forget(id(2)),
        Change::Invite(invite(1, &[4, 3])),
        Change::Revoke([2; INVITE_ID_BYTES]),
        Change::Joined(id(6)),
        Change::Leave(id(8)),
        Change::MessageDone(1),
        Change::Keep(kept(KeptKind::Service, "second")),
        Change::Drop(KeptKind::Forward, "site".to_owned()),
    ];
    [first, second]
}

fn expected() -> Book {
    let mut book = Book::default();
    changes().concat().into_iter().for_each(|c| book.apply(c));
    book
}

#[test]
fn what_was_written_is_read_again_and_what_was_forgotten_is_gone() {
    let path = folder("written");
    {
        let state = StateDirectory::open(Some(path.clone())).expect("a folder");
        let (mut disk, book) = state.records().expect("a database");
        assert_eq!(book, Book::default());
        let mut memory = MemoryRecords::default();
        for step in changes() {
            disk.write(&step).expect("a write");
            memory.write(&step).expect("a write");
        }
        assert_eq!(*memory.book(), expected());
    }
    let state = StateDirectory::open(Some(path.clone())).expect("a folder");
    let (_, book) = state.records().expect("a database");
    assert_eq!(book, expected());
    assert_eq!(book.contacts().count(), 1);
    assert_eq!(book.binding(&id(9), "aDA").map(|b| b.id), Some(id(1)));
    assert_eq!(book.bindings().count(), 1, "names go with their contact");
    let invites: Vec<_> = book.invites().collect();
    assert_eq!(
        invites,
        [&invite(1, &[4, 3])],
        "in the order in which they came"
    );
    let service = kept(KeptKind::Service, "second");
    assert_eq!(book.all_kept().collect::<Vec<_>>(), [&service]);
    assert_eq!(book.joins().collect::<Vec<_>>(), [&join(5)]);
    assert_eq!(book.introducers().collect::<Vec<_>>(), [&introducer(7)]);
    let numbers = book.messages().map(|m| m.number);
    assert_eq!(numbers.collect::<Vec<_>>(), [2, 3]);
    fs::remove_dir_all(&path).expect("our own folder");
}

#[test]
fn a_full_disk_keeps_what_was_there_and_says_so() {
    let mut records = MemoryRecords::full_after(1);
    let [first, second] = changes();
    records.write(&first).expect("room for one");
    let before = records.book().clone();
    let refused = records.write(&second).expect_err("full");
    assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    assert_eq!(*records.book(), before);
}

#[test]
fn two_contacts_that_look_alike_are_refused_and_the_first_stands() {
    let path = folder("alike");
    let state = StateDirectory::open(Some(path.clone())).expect("a folder");
    let (mut disk, _) = state.records().expect("a database");
    let first = Change::Contact(contact(1, "Bob"));
    disk.write(std::slice::from_ref(&first)).expect("a write");
    // With another o; and what came before it in the same step is not kept either.
    let step = [
        Change::Contact(contact(4, "eve")),
        Change::Contact(contact(3, "b\u{43e}b")),
    ];
    assert!(disk.write(&step).is_err());
    let (_, book) = state.records().expect("a database");
    assert_eq!(book.contacts().map(|c| c.id).collect::<Vec<_>>(), [id(1)]);
    fs::remove_dir_all(&path).expect("our own folder");
}

#[test]
fn a_damaged_or_newer_database_is_refused_and_left_alone() {
    let path = folder("damaged");
    let state = StateDirectory::open(Some(path.clone())).expect("a folder");
    let file = path.join("node.db");
    fs::write(&file, vec![0x5A; 8_192]).expect("a file");
    let refused = state.records().err().expect("no database");
    assert_eq!(refused.kind, StateErrorKind::Broken, "{refused}");
    assert_eq!(fs::read(&file).expect("a file"), vec![0x5A; 8_192]);
    fs::remove_file(&file).expect("a file");
    drop(state.records().expect("a new one"));
    let connection = rusqlite::Connection::open(&file).expect("a database");
    connection
        .pragma_update(None, "user_version", 1_000)
        .expect("a version");
    drop(connection);
    let refused = state.records().err().expect("too new");
    assert_eq!(refused.kind, StateErrorKind::NewerVersion, "{refused}");
    fs::remove_dir_all(&path).expect("our own folder");
}

#[test]
fn a_database_of_an_older_version_learns_to_hold_messages() {
    let path = folder("older");
    let state = StateDirectory::open(Some(path.clone())).expect("a folder");
    let (mut disk, _) = state.records().expect("a database");
    let first = Change::Contact(contact(1, "ada"));
    disk.write(std::slice::from_ref(&first)).expect("a write");
    disk.connection
        .execute_batch(
            "DROP TABLE kept; DROP TABLE message; DROP TABLE transfer; PRAGMA user_version = 2;",
        )
        .expect("as it was");
    drop(disk);
    let (mut disk, book) = state.records().expect("a database");
    assert_eq!(book.contacts().count(), 1);
    let message = Change::Message(message(1, 7.into()));
    disk.write(std::slice::from_ref(&message)).expect("a write");
    let (_, book) = state.records().expect("a database");
    assert_eq!(book.messages().count(), 1);
    fs::remove_dir_all(&path).expect("our own folder");
}

#[test]
fn a_message_that_finds_no_room_leaves_the_others_and_comes_in_later() {
    let path = folder("full");
    let state = StateDirectory::open(Some(path.clone())).expect("a folder");
    let (mut disk, _) = state.records().expect("a database");
    let small = Change::Message(message(1, 7.into()));
    let mut large = message(2, 7.into());
    large.data = vec![1; 1 << 20].into();
    let large = Change::Message(large);
    disk.write(std::slice::from_ref(&small)).expect("a write");
    let bound = |disk: &Database, pages: u32| {
        let set = disk.connection.pragma_update(None, "max_page_count", pages);
        set.expect("a bound");
    };
    bound(&disk, 64);
    assert!(disk.write(std::slice::from_ref(&large)).is_err());
    let (_, book) = state.records().expect("a database");
    assert_eq!(book.messages().map(|m| m.number).collect::<Vec<_>>(), [1]);
    bound(&disk, 1 << 20);
    disk.write(&[large, Change::MessageDone(1)])
        .expect("there is room");
    let (_, book) = state.records().expect("a database");
    assert_eq!(book.messages().map(|m| m.number).collect::<Vec<_>>(), [2]);
    fs::remove_dir_all(&path).expect("our own folder");
}

#[test]
fn a_message_that_is_done_with_is_not_left_in_the_file() {
    let path = folder("done");
    let state = StateDirectory::open(Some(path.clone())).expect("a folder");
    let (mut disk, _) = state.records().expect("a database");
    let secrets = [&b"the first secret"[..], b"the other secret"];
    for (number, secret) in (1..).zip(secrets) {
        let mut message = message(number, 7.into());
        message.data = Bytes::from(secret.repeat(1_000));
        let message = Change::Message(message);
        disk.write(std::slice::from_ref(&message)).expect("a write");
    }
    disk.write(&[Change::MessageDone(1)]).expect("a write");
    // What was written ahead goes into the file at the end.
    drop(disk);
    let bytes = fs::read(path.join("node.db")).expect("a file");
    let is_there = |secret: &&[u8]| bytes.windows(secret.len()).any(|w| w == *secret);
    assert_eq!(secrets.map(|s| is_there(&s)), [false, true]);
    fs::remove_dir_all(&path).expect("our own folder");
}
