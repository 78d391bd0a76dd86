//! What the owner has set up while the node ran, and wants to have again when it starts: services and forwards, each
//! as a document of whoever offers them.

/// What a document is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeptKind {
    /// Something offered to peers.
    Service,
    /// A port of this machine that leads to a peer.
    Forward,
}

/// One thing that the owner has set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is.
    pub kind: KeptKind,
    /// Its name among those of its kind.
    pub name: String,
    /// How it is set up, in words of whoever offers it.
    pub document: String,
}
