//! Both halves of the work against each other, on both kinds of disk, and against names that lie.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use super::proof::hash_bytes;
use super::*;
use crate::directory::StateDirectory;

fn folder(test: &str) -> PathBuf {
    let name = format!("p2p-transfers-{test}-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a folder");
    path
}

fn peer() -> p2p_core::id::NodeId {
    p2p_core::id::NodeId::from_bytes([1; 32])
}

/// This machine's disk, with a state directory of its own.
fn disk(path: &Path) -> DiskVolume {
    let state = StateDirectory::open(Some(path.to_owned())).expect("a state directory");
    let (records, _) = state.records().expect("a database");
    let (table, _) = state.transfers(&records).expect("a table");
    DiskVolume::new(path.join("transfers"), table)
}

/// Carries one order out.
fn order(worker: &mut FileWorker, order: Order) -> Vec<FileNews> {
    let mut all = Vec::new();
    worker.carry_out(order, &mut |news| all.push(news));
    all
}

/// The receiver of an offer, fed by `prove` until it is over.
fn receive(
    worker: &mut FileWorker,
    id: TransferId,
    offer: &Offer,
    destination: &Path,
    mut prove: impl FnMut(Want) -> bytes::Bytes,
) -> FileNews {
    let mut news = VecDeque::from(order(worker, Order::Expect(id, peer(), 9, offer.clone())));
    news.extend(order(worker, Order::Next(id)));
    loop {
        match news.pop_front().expect("something happens") {
            FileNews::Wants(_, wants) => {
                let more = !wants.is_empty();
                for want in wants {
                    let proven = prove(want);
                    news.extend(order(worker, Order::Store(id, want, proven)));
                }
                let is_over =
                    |news: &FileNews| matches!(news, FileNews::Placed(..) | FileNews::Failed(..));
                if more && !news.iter().any(is_over) {
                    news.extend(order(worker, Order::Next(id)));
                }
            }
            FileNews::Listed(..) => {
                let accept = Order::Accept(id, destination.to_owned(), Conflict::Rename);
                news = VecDeque::from(order(worker, accept));
                news.extend(order(worker, Order::Next(id)));
            }
            over @ (FileNews::Placed(..) | FileNews::Failed(..)) => return over,
            _ => {}
        }
    }
}

/// What one entry of a generated name does to a receiver on a real disk; a list of up to 16 KiB proves itself.
fn offer_name(worker: &mut FileWorker, destination: &Path, name: &str) -> FileNews {
    let entry = Entry {
        name: name.to_owned(),
        size: 0,
        hash: hash_bytes(&[]),
        is_executable: false,
        modified_unix_s: 0,
    };
    let list = manifest::encode(&[entry]);
    let offer = Offer {
        root: hash_bytes(&list),
        manifest_bytes: list.len() as u64,
        files: 1,
        bytes: 0,
        label: String::new(),
    };
    let id = TransferId(7);
    let over = receive(worker, id, &offer, destination, |_| list.clone().into());
    order(worker, Order::Discard(id));
    over
}

/// Whether a list with this name is refused.
fn is_refused(name: &str) -> bool {
    let entry = Entry {
        name: name.to_owned(),
        size: 0,
        hash: hash_bytes(&[]),
        is_executable: false,
        modified_unix_s: 0,
    };
    matches!(
        read_manifest(&manifest::encode(&[entry])),
        Err(BadManifest::Name(_))
    )
}

/// Names put together of what has led others astray.
fn hostile_name(n: u64) -> String {
    const PARTS: &[&str] = &[
        "..",
        ".",
        "",
        "/",
        "//",
        "\\",
        "a",
        "b",
        "C:",
        "c:",
        "~",
        "canary",
        "etc",
        "passwd",
        "\0",
        "\n",
        "\u{202e}",
        "\u{2066}",
        "e\u{301}",
        "é",
        "CON",
        "nul.txt",
        "...",
        "..\u{200f}",
        ".p2p-part",
        "%2e%2e",
        "/canary",
        "../canary",
        "..\\canary",
        "x:y",
        "link",
        "link/canary",
        "\u{7f}",
        "\u{2028}",
        " ",
        ".. ",
    ];
    let mut state = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut name = String::new();
    for _ in 0..=next(5) {
        name.push_str(PARTS[next(PARTS.len())]);
        if next(2) == 0 {
            name.push('/');
        }
    }
    if next(50) == 0 {
        name.push_str(&"x".repeat(250 + next(20)));
    }
    name
}

/// Everything below a folder that is no folder, links not followed.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            found.extend(all_files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

#[cfg(unix)]
#[test]
fn sec_36_of_100_000_hostile_names_none_leaves_the_folder() {
    let outside = folder("hostile");
    let destination = outside.join("one/two/got");
    fs::create_dir_all(&destination).expect("a folder");
    // Wherever a name leads, something lies there.
    let canaries = [
        "canary",
        "one/canary",
        "one/two/canary",
        "passwd",
        "one/two/a",
        "one/two/b",
    ];
    for canary in canaries {
        fs::write(outside.join(canary), "alive").expect("a file");
    }
    std::os::unix::fs::symlink(outside.join("one"), destination.join("link")).expect("a link");
    let mut worker = FileWorker::new(Box::new(disk(&outside.join("own"))));
    // What the node itself keeps is not counted.
    let all_files = |folder: &Path| -> Vec<PathBuf> {
        let own = outside.join("own");
        all_files(folder)
            .into_iter()
            .filter(|path| !path.starts_with(&own))
            .collect()
    };
    let before = all_files(&outside).len();
    let (mut refused, mut placed) = (0, 0);
    let mut tried = BTreeSet::new();
    for n in 0..100_000 {
        let name = hostile_name(n);
        let is_refused = is_refused(&name);
        // Of those that are refused every hundredth goes as far as a disk would be; of the others some, each
        // once, since each is synced.
        let goes_on = if is_refused {
            n % 100 == 0
        } else {
            placed < 120 && tried.insert(name.clone())
        };
        if !goes_on {
            refused += usize::from(is_refused);
            continue;
        }
        match offer_name(&mut worker, &destination, &name) {
            FileNews::Failed(_, Reason::HostileNames) => {
                assert!(check_name(&name).is_err(), "{name:?}");
                refused += 1;
            }
            // Beneath the link, or where a file has the place of a folder.
            FileNews::Failed(_, Reason::Disk) => refused += 1,
            FileNews::Placed(..) => placed += 1,
            other => panic!("{name:?}: {other:?}"),
        }
    }
    assert!(
        refused > 50_000 && placed == 120,
        "{refused} refused, {placed} placed"
    );
    for canary in canaries {
        let left = fs::read_to_string(outside.join(canary)).expect("it is there");
        assert_eq!(left, "alive", "{canary}");
    }
    let after = all_files(&outside);
    let beyond = after.iter().filter(|path| !path.starts_with(&destination));
    assert_eq!(
        beyond.count(),
        before - 1,
        "nothing new but beneath the folder"
    );
    assert!(after.len() > before, "what is harmless was placed");
    fs::remove_dir_all(&outside).expect("our own folder");
}

#[cfg(unix)]
#[test]
fn a_real_disk_gives_and_takes_what_it_has() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = folder("real");
    let source = place.join("photos");
    fs::create_dir_all(source.join("deep")).expect("a folder");
    let big: Vec<u8> = (0..3_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8)
        .collect();
    fs::write(source.join("deep/big"), &big).expect("a file");
    fs::write(source.join("run.sh"), "#!/bin/sh\n").expect("a file");
    fs::set_permissions(source.join("run.sh"), fs::Permissions::from_mode(0o755)).expect("a mode");
    for n in 0..300 {
        fs::write(source.join(format!("small-{n}")), format!("{n}")).expect("a file");
    }
    std::os::unix::fs::symlink("/etc/passwd", source.join("link")).expect("a link");
    let mut sender = FileWorker::new(Box::new(disk(&place.join("own"))));
    let mut receiver = FileWorker::new(Box::new(disk(&place.join("other"))));
    let (out, into) = (TransferId(1), TransferId(2));
    let hashed = order(&mut sender, Order::Hash(out, peer(), vec![source.clone()]));
    let Some(FileNews::Hashed(_, offer, 1)) = hashed.last() else {
        panic!("{hashed:?}");
    };
    assert_eq!((offer.files, offer.label.as_str()), (302, "photos"));
    let destination = place.join("got");
    let over = receive(
        &mut receiver,
        into,
        offer,
        &destination,
        |want| match order(&mut sender, Order::Prove(out, 5, want)).pop() {
            Some(FileNews::Proven(_, 5, proven)) => {
                assert!(proven.len() as u64 <= proven_bytes_max(&want));
                proven
            }
            other => panic!("{other:?}"),
        },
    );
    let FileNews::Placed(_, placed) = over else {
        panic!("{over:?}");
    };
    assert_eq!((placed.files, placed.skipped), (302, 0));
    assert_eq!(
        fs::read(destination.join("photos/deep/big")).expect("a file"),
        big
    );
    assert_eq!(all_files(&destination).len(), 302, "no part is left");
    let (was, is) = (source.join("run.sh"), destination.join("photos/run.sh"));
    let (was, is) = (
        fs::metadata(was).expect("a file"),
        fs::metadata(is).expect("a file"),
    );
    assert_eq!(is.permissions().mode() & 0o100, 0o100);
    let seconds = |m: &fs::Metadata| {
        m.modified()
            .expect("a time")
            .duration_since(std::time::UNIX_EPOCH)
            .expect("later")
            .as_secs()
    };
    assert_eq!(seconds(&was), seconds(&is));
    fs::remove_dir_all(&place).expect("our own folder");
}

#[test]
fn groups_that_were_changed_on_the_way_are_never_written() {
    let disk = MemoryVolume::default();
    let content: Vec<u8> = (0..200_000_u32).map(|n| (n >> 3) as u8).collect();
    disk.put("/a", &content);
    let mut sender = FileWorker::new(Box::new(disk));
    let out = TransferId(1);
    let hashed = order(&mut sender, Order::Hash(out, peer(), vec!["/a".into()]));
    let Some(FileNews::Hashed(_, offer, 0)) = hashed.last() else {
        panic!("{hashed:?}");
    };
    let mut prove = |want| match order(&mut sender, Order::Prove(out, 1, want)).pop() {
        Some(FileNews::Proven(_, _, proven)) => proven,
        other => panic!("{other:?}"),
    };
    for spoil in 0..40_usize {
        let got = MemoryVolume::default();
        let mut receiver = FileWorker::new(Box::new(got.clone()));
        let mut is_list = true;
        let over = receive(
            &mut receiver,
            TransferId(2),
            offer,
            Path::new("/got"),
            |want| {
                let mut proven = prove(want).to_vec();
                if !core::mem::take(&mut is_list) {
                    match spoil {
                        0 => drop(proven.pop()),
                        1 => proven.push(0),
                        n => {
                            let at = n * (proven.len() - 1) / 39;
                            proven[at] ^= 1;
                        }
                    }
                }
                proven.into()
            },
        );
        assert_eq!(
            over,
            FileNews::Failed(TransferId(2), Reason::ProofFailed),
            "{spoil}"
        );
        order(&mut receiver, Order::Discard(TransferId(2)));
        assert_eq!((got.names().len(), got.leftovers()), (0, 0), "{spoil}");
    }
}

/// What an earlier run left is cleared away where it cannot be gone on with; how it ended is kept.
#[test]
fn a_transfer_that_cannot_be_taken_up_again_leaves_nothing_behind() {
    let volume = MemoryVolume::default();
    let id = TransferId(7);
    let mut row = Row::new(id, peer(), 9);
    row.offer.manifest_bytes = 100;
    row.offer.root = [1; 32];
    row.destination = Some("/got".into());
    volume.keep(&row).expect("room");
    let part = Spot::Part(Path::new("/got"), id, 0);
    volume.write(part, 0, &[5; 1_000]).expect("room");
    volume.write(Spot::Manifest(id), 0, &[6; 50]).expect("room");
    assert_eq!(volume.leftovers(), 2);

    let mut worker = FileWorker::new(Box::new(volume.clone()));
    let news = order(&mut worker, Order::Resume(Box::new(row)));
    assert!(
        matches!(news[..], [FileNews::Failed(_, Reason::Disk)]),
        "{news:?}"
    );
    order(&mut worker, Order::Settle(id, "failed:disk".to_owned()));
    assert_eq!(volume.leftovers(), 0);
    let ends: Vec<_> = volume.rows().into_iter().map(|row| row.end).collect();
    assert_eq!(ends, [Some("failed:disk".to_owned())]);
}
