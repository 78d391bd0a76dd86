//! The fuzzer: which target it drives is said by the variable `FUZZ_TARGET`, so that one build serves all of them.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use p2p_fuzz::{TARGETS, Target};

static TARGET: OnceLock<Target> = OnceLock::new();

fn chosen() -> Target {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let known = || TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    match TARGETS.iter().find(|(known, _)| *known == name) {
        Some((_, target)) => *target,
        None => panic!("FUZZ_TARGET is \"{name}\"; it must be one of {:?}", known()),
    }
}

fuzz_target!(|bytes: &[u8]| TARGET.get_or_init(chosen)(bytes));
