//! What is ours: listening, company, short probes.

use super::*;
use crate::api::ControllerKind;

#[test]
fn base_is_learnt_only_while_listening() {
    let mut losses = Losses::new();
    (0..500).for_each(|pn| losses.on_sent(pn, false));
    (0..500).step_by(20).for_each(|pn| {
        losses.on_lost(pn, true);
    });
    assert_eq!(losses.base(), 0.0);
    (500..1_000).for_each(|pn| losses.on_sent(pn, true));
    losses.on_acked(475.0, 475.0, true);
    (500..1_000).step_by(20).for_each(|pn| {
        losses.on_lost(pn, true);
    });
    assert!((0.03..0.07).contains(&losses.base()), "{losses:?}");
    let before = losses.base();
    losses.on_lost(999, false);
    assert_eq!(losses.base(), before, "not in a queue");
}

#[test]
fn base_is_learnt_and_falls_when_the_path_heals() {
    let link = Bottleneck {
        loss_per_mille: 50,
        ..HOME
    };
    let mut run = Run::new(link);
    run.go_on(ms(20_000));
    let base = run.bbr().losses.base();
    assert!((0.02..0.09).contains(&base), "{base}");
    run.net.link.loss_per_mille = 0;
    assert!(run.until(ms(120_000), |b| b.losses.base() < 0.02));
}

#[test]
fn self_made_loss_is_seen() {
    let mut losses = Losses::new();
    losses.on_sent(0, true);
    losses.on_sent(1, false);
    losses.on_acked(1_980.0, 1_980.0, true);
    (0..20).for_each(|_| {
        losses.on_lost(0, true);
    });
    assert!(!losses.is_self_made());
    losses.on_acked(1_880.0, 0.0, true);
    (0..120).for_each(|n| {
        losses.on_lost(2 * n + 3, true);
    });
    assert!(losses.is_self_made(), "{losses:?}");
}

#[test]
fn probe_budget_is_4_ms() {
    let mut run = Run::new(HOME);
    run.reach(State::Up);
    let bbr = run.bbr();
    assert!(is_near(bbr.cycle.budget, bbr.bandwidth * 0.004, 1.0));
}

#[test]
fn company_enters_on_a_foreign_queue_and_leaves_when_alone() {
    let mut run = Run::new(HOME);
    run.go_on(ms(6_000));
    assert!(run.bbr().company.is_none());
    run.net.join(ControllerKind::Cubic);
    assert!(run.until(ms(8_000), |b| b.company.is_some()));
    run.go_on(ms(2_000));
    run.net.leave();
    assert!(run.until(ms(12_000), |b| b.company.is_none()));
}

#[test]
fn two_seeds_same_trace() {
    let trace = |seed| {
        let link = Bottleneck {
            loss_per_mille: 20,
            ..HOME
        };
        let mut run = Run::seeded(link, seed);
        let mut seen = Vec::new();
        for _ in 0..100 {
            run.go_on(ms(50));
            seen.push((run.state(), run.bbr().window()));
        }
        seen
    };
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}
