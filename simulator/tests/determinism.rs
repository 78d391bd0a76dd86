//! A world is a function of its seed: the same trace twice in one process, and in two processes.

use std::process::Command;

use p2p_simulator::ops::{Faults, check, generate};

#[test]
fn one_seed_gives_one_trace_within_a_process() {
    let ops = generate(4, 6, 10, Faults::Mixed);
    let run = || check(4, 6, &ops).unwrap_or_else(|f| panic!("{f}"));
    let (one, two) = (run(), run());
    assert!(one.hash.is_some() && one.datagrams > 100);
    assert_eq!(one, two);
    let other = check(5, 6, &ops).unwrap_or_else(|f| panic!("{f}"));
    assert_ne!(one.hash, other.hash);
}

#[test]
fn one_seed_gives_one_trace_in_two_processes() {
    let run = || {
        let output = Command::new(env!("CARGO_BIN_EXE_p2p-sim"))
            .args(["run", "--seed", "7", "--nodes", "6", "--seconds", "10"])
            .output()
            .expect("the program starts");
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{text}");
        text
    };
    let text = run();
    assert!(text.contains("trace hash"), "{text}");
    assert_eq!(text, run());
}

#[test]
fn a_wrong_command_line_is_refused_with_a_reason() {
    let output = Command::new(env!("CARGO_BIN_EXE_p2p-sim"))
        .args(["run", "--nodes", "many"])
        .output()
        .expect("the program starts");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("--nodes many"), "{text}");
}
