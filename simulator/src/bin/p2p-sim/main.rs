//! `p2p-sim`: runs simulated worlds from the command line.

fn main() {
    println!("p2p-sim {}", env!("CARGO_PKG_VERSION"));
}
