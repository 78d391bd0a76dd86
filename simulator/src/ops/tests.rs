use super::*;

#[test]
fn equal_seeds_make_equal_plots_of_the_asked_length() {
    let plot = generate(7, 10, 30, Faults::Mixed);
    assert_eq!(plot, generate(7, 10, 30, Faults::Mixed));
    assert_ne!(plot, generate(8, 10, 30, Faults::Mixed));
    let millis: u32 = plot
        .iter()
        .map(|op| if let Op::Advance(ms) = op { *ms } else { 0 })
        .sum();
    assert!((30_000..33_000).contains(&millis), "{millis}");
}

#[test]
fn shrinking_finds_the_operations_that_matter() {
    let plot = generate(7, 10, 30, Faults::Mixed);
    let culprits = [Op::Crash(250), Op::Heal];
    let mut sick = plot.clone();
    sick.insert(11, culprits[0]);
    sick.insert(40, Op::Restart(251));
    sick.push(culprits[1]);
    let fails = |ops: &[Op]| ops.contains(&culprits[0]) && ops.last() == Some(&culprits[1]);
    assert_eq!(shrink(&sick, 1_000, fails), culprits);
}

#[test]
fn a_failure_prints_as_rust() {
    let failure = Failure {
        seed: 3,
        nodes: 4,
        ops: vec![Op::Connect(0, 1), Op::Roam(2, true)],
        at: 1,
        violation: "something".to_owned(),
    };
    let text = failure.to_string();
    assert!(text.contains("check(3, 4, &[Connect(0, 1), Roam(2, true), ])"));
}
