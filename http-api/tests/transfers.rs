//! Files from hand to hand, in virtual time and with disks in memory (protocol §8.11).

mod world;

use core::time::Duration;

use serde_json::{Value, json};
use world::{ADA, BEN, World, ask};

/// Bytes that differ from place to place.
fn content(seed: u8, bytes: usize) -> Vec<u8> {
    let mix = |n: usize| (n.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed;
    (0..bytes).map(mix).collect()
}

/// Ada and ben are connected, and each chose the other.
fn friends() -> World {
    let mut world = World::connected();
    let answer = world.get(BEN, ask("POST", "/v1/peers/ada/connect").json("{}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    world
}

fn send(world: &mut World, paths: &[&str]) -> String {
    let body = json!({"peer": "ben", "paths": paths}).to_string();
    let answer = world.get(ADA, ask("POST", "/v1/transfers").json(&body));
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

fn offer(world: &mut World, target: &str) -> Value {
    let page = world.get(BEN, ask("GET", target)).json();
    page["items"][0].clone()
}

fn accept(world: &mut World, id: &str, conflict: &str) {
    let body = json!({"out": "/got", "conflict": conflict}).to_string();
    let target = format!("/v1/transfers/{id}/accept");
    let answer = world.get(BEN, ask("POST", &target).json(&body));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn show(world: &mut World, n: u8, id: &str) -> Value {
    world
        .get(n, ask("GET", &format!("/v1/transfers/{id}")))
        .json()
}

/// Runs until a transfer is over at a node.
fn end(world: &mut World, n: u8, id: &str) -> Value {
    for _ in 0..600 {
        let now = show(world, n, id);
        if now["ended_at"].is_string() {
            return now;
        }
        world.run(Duration::from_millis(200));
    }
    panic!("never over: {}", show(world, n, id));
}

#[test]
fn files_and_folders_arrive_whole_and_the_sender_has_the_receipt() {
    let mut world = friends();
    let files = [
        ("/home/thesis.pdf", content(1, 3_000_001)),
        ("/home/photos/a.jpg", content(2, 16_384)),
        ("/home/photos/deep/b.jpg", content(3, 16_385)),
        ("/home/photos/empty", Vec::new()),
        ("/home/photos/same.jpg", content(2, 16_384)),
    ];
    for (path, bytes) in &files {
        world.party(ADA).volume.put(path, bytes);
    }
    let sent = send(&mut world, &["/home/thesis.pdf", "/home/photos"]);
    let offered = offer(&mut world, "/v1/transfers?wait=50");
    assert_eq!(offered["label"], "thesis.pdf and 1 more");
    assert_eq!(offered["files"], 5);
    assert_eq!(show(&mut world, ADA, &sent)["state"], "offered");
    let id = offered["id"].as_str().expect("an id").to_owned();
    accept(&mut world, &id, "rename");
    let received = end(&mut world, BEN, &id);
    assert_eq!(received["state"], "done", "{received}");
    let over = end(&mut world, ADA, &sent);
    assert_eq!(over["state"], "done", "{over}");
    assert_eq!(over["done_bytes"], over["total_bytes"]);
    for (path, bytes) in &files {
        let name = path.strip_prefix("/home/").expect("below");
        let placed = world.party(BEN).volume.placed("/got", name);
        assert!(placed.as_deref() == Some(bytes), "{name}");
    }
    assert_eq!(world.party(BEN).volume.leftovers(), 0);
    assert_eq!(world.party(ADA).volume.leftovers(), 0);
}

#[test]
fn a_name_that_is_taken_is_dealt_with_as_the_owner_says() {
    for (conflict, state, names) in [
        ("rename", "done", vec!["a (2).txt", "a.txt", "b.txt"]),
        ("skip", "partly", vec!["a.txt", "b.txt"]),
        ("overwrite", "done", vec!["a.txt", "b.txt"]),
    ] {
        let mut world = friends();
        let mut last = String::new();
        // The second time a.txt is another one, and b.txt is there already.
        for (n, seed) in [(1, 1), (2, 9)] {
            world
                .party(ADA)
                .volume
                .put("/home/a.txt", &content(seed, 20_000));
            world
                .party(ADA)
                .volume
                .put("/home/b.txt", &content(5, 70_000));
            let sent = send(&mut world, &["/home/a.txt", "/home/b.txt"]);
            let offered = offer(&mut world, "/v1/transfers?wait=50");
            let id = offered["id"].as_str().expect("an id").to_owned();
            accept(&mut world, &id, conflict);
            let over = end(&mut world, ADA, &sent);
            assert_eq!(
                over["state"],
                if n == 1 { "done" } else { state },
                "{conflict}"
            );
            last = id;
        }
        assert_eq!(world.party(BEN).volume.names(), names, "{conflict}");
        let kept = if conflict == "overwrite" { 9 } else { 1 };
        let placed = world.party(BEN).volume.placed("/got", "a.txt");
        assert!(placed == Some(content(kept, 20_000)), "{conflict}");
        let skipped = show(&mut world, BEN, &last)["skipped"].clone();
        assert_eq!(skipped, u64::from(conflict == "skip"));
    }
}

#[test]
fn a_stranger_may_offer_only_while_the_owner_waits_for_anybody() {
    let mut world = World::connected();
    world.party(ADA).volume.put("/home/a", &content(1, 5));
    let refused = send(&mut world, &["/home/a"]);
    assert_eq!(end(&mut world, ADA, &refused)["state"], "refused");
    let waiting = world.send(BEN, ask("GET", "/v1/transfers?wait=50"));
    let refused = send(&mut world, &["/home/a"]);
    assert_eq!(end(&mut world, ADA, &refused)["state"], "refused");
    assert!(!world.response(BEN, waiting).is_complete);
    let waiting = world.send(BEN, ask("GET", "/v1/transfers?wait=50&anyone=1"));
    let sent = send(&mut world, &["/home/a"]);
    world.run(Duration::from_secs(5));
    let offered = world.response(BEN, waiting).json()["items"][0].clone();
    let id = offered["id"].as_str().expect("an id").to_owned();
    accept(&mut world, &id, "rename");
    assert_eq!(end(&mut world, ADA, &sent)["state"], "done");
}

#[test]
fn what_is_not_wanted_ends_at_both_sides() {
    let mut world = friends();
    world.party(ADA).volume.put("/home/a", &content(1, 500_000));
    let sent = send(&mut world, &["/home/a"]);
    let id = offer(&mut world, "/v1/transfers?wait=50")["id"].clone();
    let id = id.as_str().expect("an id").to_owned();
    let cancel = format!("/v1/transfers/{id}/cancel");
    assert_eq!(world.get(BEN, ask("POST", &cancel)).status, 200);
    assert_eq!(
        world.get(BEN, ask("POST", &cancel)).code(),
        "transfer_state"
    );
    assert_eq!(end(&mut world, ADA, &sent)["state"], "declined");
    let sent = send(&mut world, &["/home/a"]);
    let id = offer(&mut world, "/v1/transfers?wait=50")["id"].clone();
    let cancel = format!("/v1/transfers/{sent}/cancel");
    assert_eq!(world.get(ADA, ask("POST", &cancel)).status, 200);
    let over = end(&mut world, BEN, id.as_str().expect("an id"));
    assert_eq!(over["state"], "cancelled");
    let nothing = send(&mut world, &["/home/nothing"]);
    assert_eq!(end(&mut world, ADA, &nothing)["reason"], "not_found");
    let unknown = world.get(ADA, ask("GET", "/v1/transfers/0123456789abcdef"));
    assert_eq!(unknown.code(), "transfer_not_found");
}

#[test]
fn a_source_that_changed_ends_it_and_nothing_of_it_is_placed() {
    // Once with another size, once with the same facts and other bytes.
    let mut swapped = content(1, 900_000);
    swapped.swap(800_000, 800_003);
    for changed in [content(1, 900_001), swapped] {
        let mut world = friends();
        world.party(ADA).volume.put("/home/a", &content(1, 900_000));
        let sent = send(&mut world, &["/home/a"]);
        let offered = offer(&mut world, "/v1/transfers?wait=50");
        let id = offered["id"].as_str().expect("an id").to_owned();
        world.party(ADA).volume.put("/home/a", &changed);
        accept(&mut world, &id, "rename");
        for (n, id) in [(ADA, &sent), (BEN, &id)] {
            let over = end(&mut world, n, id);
            assert_eq!(
                (&over["state"], &over["reason"]),
                (&json!("failed"), &json!("source_changed"))
            );
        }
        assert_eq!(world.party(BEN).volume.names(), Vec::<String>::new());
        assert_eq!(world.party(BEN).volume.leftovers(), 0);
    }
}

#[test]
fn a_full_or_failing_disk_is_told_to_both_sides() {
    for (spoil, reason) in [
        ("full", "no_space"),
        ("small", "no_space"),
        ("sync", "disk"),
    ] {
        let mut world = friends();
        world.party(ADA).volume.put("/home/a", &content(1, 900_000));
        let sent = send(&mut world, &["/home/a"]);
        let offered = offer(&mut world, "/v1/transfers?wait=50");
        let id = offered["id"].as_str().expect("an id").to_owned();
        match spoil {
            "full" => world.party(BEN).volume.set_free_bytes(Some(1_000_000)),
            "small" => {}
            _ => world.party(BEN).volume.fail_sync_after(0),
        }
        accept(&mut world, &id, "rename");
        if spoil == "small" {
            world.party(BEN).volume.set_free_bytes(Some(100_000));
        }
        for (n, id) in [(ADA, &sent), (BEN, &id)] {
            let over = end(&mut world, n, id);
            assert_eq!(
                (&over["state"], &over["reason"]),
                (&json!("failed"), &json!(reason)),
                "{spoil}"
            );
        }
    }
}

#[test]
fn a_lost_connection_is_made_again_and_progress_never_falls() {
    let mut world = friends();
    world
        .party(ADA)
        .volume
        .put("/home/a", &content(1, 40_000_000));
    let sent = send(&mut world, &["/home/a"]);
    let offered = offer(&mut world, "/v1/transfers?wait=50");
    let id = offered["id"].as_str().expect("an id").to_owned();
    accept(&mut world, &id, "rename");
    let mut done = [0, 0];
    let mut cuts = 0;
    loop {
        for (side, (n, id)) in [(ADA, &sent), (BEN, &id)].into_iter().enumerate() {
            let now = show(&mut world, n, id)["done_bytes"]
                .as_u64()
                .expect("bytes");
            assert!(now >= done[side], "{now} after {done:?}");
            done[side] = now;
        }
        if cuts < 2 && done[1] > (1 + 2 * cuts) * 8_000_000 {
            cuts += 1;
            world.cut = true;
            world.run(Duration::from_secs(70));
            assert_eq!(show(&mut world, ADA, &sent)["peer_connected"], false);
            world.cut = false;
        }
        if show(&mut world, ADA, &sent)["ended_at"].is_string() {
            break;
        }
        world.run(Duration::from_millis(20));
    }
    assert_eq!(cuts, 2);
    assert_eq!(end(&mut world, ADA, &sent)["state"], "done");
    let placed = world.party(BEN).volume.placed("/got", "a");
    assert!(placed == Some(content(1, 40_000_000)));
}

/// Both sides die again and again, with and without what was not synced; each goes on where its disk says.
#[test]
fn a_kill_of_either_side_at_any_moment_fetches_nothing_twice_that_is_kept() {
    let mut all = 0;
    for seed in 0..4_u64 {
        let mut world = friends();
        let mut total = 0;
        for n in 0..40 {
            let bytes = content(
                n,
                if n == 7 {
                    12_000_000
                } else {
                    usize::from(n) * 1_000
                },
            );
            total += bytes.len() as u64;
            world
                .party(ADA)
                .volume
                .put(&format!("/home/all/{n:02}"), &bytes);
        }
        let sent = send(&mut world, &["/home/all"]);
        let offered = offer(&mut world, "/v1/transfers?wait=50");
        let id = offered["id"].as_str().expect("an id").to_owned();
        accept(&mut world, &id, "rename");
        let (mut lost, mut kills, mut done, mut written) = (0, 0, 0, 0);
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        while !show(&mut world, ADA, &sent)["ended_at"].is_string() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            world.run(Duration::from_millis(1 + state % 2));
            let now = show(&mut world, BEN, &id)["done_bytes"]
                .as_u64()
                .expect("bytes");
            assert!(now >= done, "{now} after {done}");
            let came = world.party(BEN).volume.part_bytes() > written && state % 3 == 0;
            done = now;
            if kills < 12 && came && done < total {
                kills += 1;
                let n = if kills % 2 == 0 { ADA } else { BEN };
                world.restart(n, state % 3 == 0);
                let volume = &world.party(BEN).volume;
                written = volume.part_bytes();
                if n == BEN {
                    lost = written - volume.rows()[0].bytes;
                }
            }
        }
        all += kills;
        assert_eq!(end(&mut world, ADA, &sent)["state"], "done");
        assert_eq!(end(&mut world, BEN, &id)["state"], "done");
        for n in 0..40_u8 {
            let expected = content(
                n,
                if n == 7 {
                    12_000_000
                } else {
                    usize::from(n) * 1_000
                },
            );
            let placed = world
                .party(BEN)
                .volume
                .placed("/got", &format!("all/{n:02}"));
            assert!(placed == Some(expected), "seed {seed}, file {n}");
        }
        // Each group that is on the disk for good was fetched once: only what a kill lost came again.
        let written = world.party(BEN).volume.part_bytes();
        assert_eq!(written, total + lost, "seed {seed}");
    }
    assert!(all >= 10, "{all} kills");
}
