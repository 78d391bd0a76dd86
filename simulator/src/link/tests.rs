use super::*;

fn direction(link: Link) -> Direction {
    Direction::new(link, Rng::from_seed([3; 32]))
}

fn count(d: &mut Direction, n: usize) -> usize {
    (0..n)
        .map(|i| d.carry(Instant::from_millis(i as u64), &mut vec![0; 100]))
        .map(|a| a.iter().flatten().count())
        .sum()
}

#[test]
fn an_ideal_link_only_delays() {
    let mut d = direction(Link::with_latency(Duration::from_millis(30)));
    let mut bytes = vec![7; 1_000];
    let arrivals = d.carry(Instant::from_millis(5), &mut bytes);
    assert_eq!(arrivals, [Some(Instant::from_millis(35)), None]);
    assert_eq!(bytes, vec![7; 1_000]);
}

#[test]
fn independent_loss_and_duplication_come_at_their_rates() {
    let mut d = direction(Link {
        loss: percent(20),
        ..Link::default()
    });
    let passed = count(&mut d, 10_000);
    assert!((7_800..8_200).contains(&passed), "{passed}");
    let mut d = direction(Link {
        duplicate: percent(10),
        ..Link::default()
    });
    let passed = count(&mut d, 10_000);
    assert!((10_800..11_200).contains(&passed), "{passed}");
}

#[test]
fn bursts_lose_runs_of_datagrams() {
    let mut d = direction(Link {
        burst: Some(Burst {
            enter: percent(1),
            leave: percent(10),
            loss: CERTAIN,
        }),
        ..Link::default()
    });
    let outcomes: Vec<bool> = (0..20_000)
        .map(|i| d.carry(Instant::from_millis(i), &mut vec![0; 10])[0].is_none())
        .collect();
    let lost = outcomes.iter().filter(|l| **l).count();
    let runs = outcomes.windows(2).filter(|w| !w[0] && w[1]).count();
    assert!(
        (1_200..2_600).contains(&lost),
        "about one in eleven: {lost}"
    );
    assert!(lost / runs >= 7, "runs of about ten: {lost} in {runs}");
}

#[test]
fn a_rate_spaces_datagrams_and_a_full_queue_drops_the_newest() {
    let mut d = direction(Link {
        latency: Duration::ZERO,
        rate_bytes_per_s: Some(100_000),
        queue_bytes: 3_000,
        ..Link::default()
    });
    let now = Instant::from_millis(1);
    let at = |d: &mut Direction| d.carry(now, &mut vec![0; 1_000])[0];
    assert_eq!(at(&mut d), Some(Instant::from_millis(11)));
    assert_eq!(at(&mut d), Some(Instant::from_millis(21)));
    assert_eq!(at(&mut d), Some(Instant::from_millis(31)));
    assert_eq!(at(&mut d), None, "3,000 bytes wait already");
    assert_eq!(d.counters.overflowed, 1);
    let later = Instant::from_millis(12);
    assert!(d.carry(later, &mut vec![0; 1_000])[0].is_some());
}

#[test]
fn jitter_keeps_the_order_and_reordering_does_not() {
    let inversions = |link: Link| {
        let mut d = direction(link);
        let times: Vec<Instant> = (0..1_000)
            .filter_map(|i| d.carry(Instant::from_millis(i), &mut vec![0; 10])[0])
            .collect();
        times.windows(2).filter(|w| w[1] < w[0]).count()
    };
    let jitter = Link {
        jitter: Duration::from_millis(20),
        ..Link::default()
    };
    assert_eq!(inversions(jitter), 0);
    let reorder = Link {
        reorder: percent(10),
        ..Link::default()
    };
    assert!(inversions(reorder) > 50);
}

#[test]
fn too_large_corrupt_truncated_and_down() {
    let mut d = direction(Link::default());
    assert_eq!(d.carry(Instant::EPOCH, &mut vec![0; 1_473]), [None; 2]);
    assert!(d.carry(Instant::EPOCH, &mut vec![0; 1_472])[0].is_some());
    d.link.corrupt = CERTAIN;
    let mut bytes = vec![0; 64];
    d.carry(Instant::EPOCH, &mut bytes);
    let flipped: u32 = bytes.iter().map(|b| b.count_ones()).sum();
    assert_eq!(flipped, 1);
    d.link.truncate = CERTAIN;
    let mut bytes = vec![0; 64];
    d.carry(Instant::EPOCH, &mut bytes);
    assert!(bytes.len() < 64);
    d.link.up = false;
    assert_eq!(d.carry(Instant::EPOCH, &mut bytes), [None; 2]);
}
