//! Random plots: a list of operations on a world of some nodes, what each does, and whether the
//! world keeps its promises throughout and comes to rest afterwards. A failing list prints as Rust
//! and is its own regression test.

mod apply;
mod cast;
mod generate;
mod shrink;

use core::fmt;

pub use crate::fired::Faults;
pub use apply::{Outcome, check, check_watched};
pub use generate::generate;
pub use shrink::shrink;

/// One thing that an application or misfortune does. Numbers name nodes, modulo how many there
/// are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// One node connects to another.
    Connect(u8, u8),
    /// One node disconnects from another.
    Disconnect(u8, u8),
    /// A datagram with so many bytes.
    Datagram(u8, u8, u16),
    /// A new value for one of a few keys.
    Latest(u8, u8, u8),
    /// A request with so many bytes.
    Request(u8, u8, u16),
    /// A message with so many bytes.
    Message(u8, u8, u32),
    /// A stream with so many bytes each way, ended properly.
    Stream(u8, u8, u32),
    /// A stream that its opener resets after so many bytes.
    ResetStream(u8, u8, u32),
    /// Milliseconds pass.
    Advance(u32),
    /// Independent loss on a node's link, percent.
    Loss(u8, u8),
    /// Independent loss in one direction only, percent: up (true) or down.
    LossOneWay(u8, u8, bool),
    /// Datagrams that overtake the one before them, percent.
    Swap(u8, u8),
    /// A node's application reads no streams and takes no messages (true), or does again.
    Lazy(u8, bool),
    /// A node's service answers after so many milliseconds.
    AnswerAfter(u8, u16),
    /// A node's disk keeps messages after so many milliseconds.
    SlowDisk(u8, u16),
    /// A node's disk is full (true), or has room again.
    FullDisk(u8, bool),
    /// Burst loss on a node's link.
    Burst(u8),
    /// Duplication, percent.
    Duplicate(u8, u8),
    /// Reordering, percent.
    Reorder(u8, u8),
    /// Flipped bits, percent of datagrams.
    Corrupt(u8, u8),
    /// Truncation, percent of datagrams.
    Truncate(u8, u8),
    /// Another constant delay, milliseconds.
    Delay(u8, u16),
    /// Jitter, milliseconds.
    Jitter(u8, u16),
    /// Rate in KiB a second with a FIFO queue.
    Rate(u8, u16),
    /// Largest UDP payload that passes.
    Mtu(u8, u16),
    /// Nothing passes a node's link in one direction: up (true) or down.
    Mute(u8, bool),
    /// A node's link is ideal again.
    Calm(u8),
    /// Nothing passes between two nodes.
    Partition(u8, u8),
    /// Nothing passes from one node to another.
    Block(u8, u8),
    /// The partition between two nodes ends.
    Rejoin(u8, u8),
    /// A node dies without a goodbye; introducers come first in the count.
    Crash(u8),
    /// A dead node starts again with the same keys.
    Restart(u8),
    /// A node stands still for milliseconds.
    Pause(u8, u16),
    /// The box before a node forgets everything.
    RebootNat(u8),
    /// The same, and it gets another address.
    RenumberNat(u8),
    /// A node gets another address, and notices or not.
    Roam(u8, bool),
    /// A node's interface is gone for milliseconds, and it notices or not.
    Unplug(u8, u16, bool),
    /// Random bytes, shaped like something of the protocol, reach a node.
    Garbage(u8, u8),
    /// Some datagrams delivered lately are delivered again.
    Replay(u8),
    /// All faults end.
    Heal,
}

impl Op {
    /// Whether it makes something break, stall or forget. A plot without such operations must
    /// succeed in everything.
    #[must_use]
    pub const fn is_misfortune(&self) -> bool {
        !matches!(
            self,
            Self::Connect(..)
                | Self::Disconnect(..)
                | Self::Datagram(..)
                | Self::Request(..)
                | Self::Message(..)
                | Self::Stream(..)
                | Self::ResetStream(..)
                | Self::Advance(..)
                | Self::Heal
        )
    }
}

/// A list of operations after which a world broke a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Seed of the world.
    pub seed: u64,
    /// Nodes in it.
    pub nodes: usize,
    /// The operations.
    pub ops: Vec<Op>,
    /// Which operation the violation came with; the length of the list where it came after all.
    pub at: usize,
    /// What was violated.
    pub violation: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            nodes,
            ops,
            at,
            violation,
        } = self;
        writeln!(f, "seed {seed}, operation {at}: {violation}")?;
        writeln!(f, "use p2p_simulator::ops::Op::*;")?;
        write!(f, "check({seed}, {nodes}, &[")?;
        for op in ops {
            write!(f, "{op:?}, ")?;
        }
        write!(f, "])")
    }
}

#[cfg(test)]
mod tests;
