//! `p2p-sim replay FILE`: runs again what a node recorded, and says whether it gave the same.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use p2p_core::Node;
use p2p_core::record::{Ending, replay};

/// Replays a recording and prints what it came to; says whether the output was the same.
pub(crate) fn run(file: &Path) -> bool {
    let name = file.display();
    let recording = match File::open(file) {
        Ok(recording) => BufReader::new(recording),
        Err(error) => {
            println!("{name}: {error}");
            return false;
        }
    };
    let played = match replay(recording, Node::new) {
        Ok(played) => played,
        Err(error) => {
            println!("{name}: {error}");
            return false;
        }
    };
    println!("inputs         {}", played.inputs);
    println!("output hash    {}", played.hash);
    match &played.recorded {
        Some((inputs, hash)) if *inputs == played.inputs => {
            println!("recorded hash  {hash}, the same");
        }
        Some((inputs, hash)) => {
            println!("recorded hash  {hash} after {inputs} inputs, the same there");
        }
        None => println!("recorded hash  none: the recording broke off before its first mark"),
    }
    match played.ending {
        Ending::Ended => println!("ends           with the node"),
        Ending::Full => println!("ends           because the recording was full; the node went on"),
        Ending::Broken => {
            println!("ends           in the middle: the program did not end in order")
        }
    }
    played.recorded.is_some()
}
