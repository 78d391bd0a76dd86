//! The words of control messages, each written here and nowhere else (protocol §6.4, §6.5): the first generation's
//! dictionary to the letter, and words of ours under letters that it left free.
//!
//! A test holds the tables of docs/protocol.md to these lists.

/// Attributes of the first generation.
pub(super) mod seed {
    /// Command.
    pub(in super::super) const COMMAND: &str = "c";
    /// From: who asks, by name.
    pub(in super::super) const FROM: &str = "f";
    /// Host of an address.
    pub(in super::super) const HOST: &str = "h";
    /// Reference of a request.
    pub(in super::super) const REQUEST: &str = "n";
    /// Object: the data of a response.
    pub(in super::super) const OBJECT: &str = "o";
    /// Port of an address.
    pub(in super::super) const PORT: &str = "p";
    /// Reference of the request that a response answers.
    pub(in super::super) const RESPONSE: &str = "r";
    /// Search peer: what the names looked for begin with.
    pub(in super::super) const SEARCH: &str = "su";
    /// Peer: a name or a node id.
    pub(in super::super) const PEER: &str = "u";
}

/// Attributes of ours.
pub(super) mod ours {
    /// Candidates: addresses of the sender.
    pub(in super::super) const CANDIDATES: &str = "ca";
    /// Relay channel.
    pub(in super::super) const CHANNEL: &str = "ch";
    /// What kind of candidate an address is.
    pub(in super::super) const CANDIDATE_TYPE: &str = "ct";
    /// Cursor of the next page.
    pub(in super::super) const CURSOR: &str = "cu";
    /// Refusal code.
    pub(in super::super) const REFUSAL: &str = "e";
    /// Node id beside a name.
    pub(in super::super) const ID: &str = "i";
    /// Key record.
    pub(in super::super) const KEY_RECORD: &str = "k";
    /// Whether searches list the name.
    pub(in super::super) const LISTED: &str = "l";
    /// Life of a registration, seconds.
    pub(in super::super) const LIFE: &str = "lf";
    /// Name record.
    pub(in super::super) const NAME_RECORD: &str = "nr";
    /// Set where requester and target share their outside address.
    pub(in super::super) const NEIGHBOUR: &str = "nb";
    /// Retry after, seconds.
    pub(in super::super) const RETRY_AFTER: &str = "ra";
}

/// Commands: those of the first generation, and `rg`, `qrq`, `qrs`, `cx` of ours.
pub(super) mod command {
    /// Keep-alive.
    pub(in super::super) const KEEP_ALIVE: &str = "ka";
    /// Register.
    pub(in super::super) const REGISTER: &str = "rg";
    /// Query peers, request.
    pub(in super::super) const SEARCH: &str = "qrq";
    /// Query peers, response.
    pub(in super::super) const SEARCH_RESULT: &str = "qrs";
    /// Connect, stage 1: requester to introducer.
    pub(in super::super) const CONNECT: &str = "cr1";
    /// Connect, stage 2: introducer to both.
    pub(in super::super) const INTRODUCE: &str = "cr2";
    /// Connect, stage 3: peer to peer.
    pub(in super::super) const CANDIDATES: &str = "cr3";
    /// A relay channel is closed.
    pub(in super::super) const CHANNEL_CLOSED: &str = "cx";
}
