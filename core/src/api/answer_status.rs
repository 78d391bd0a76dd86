//! Statuses of answers (protocol §8.1): 0 to 15 are the nodes' own, a service's begin at [`SERVICE_MIN`].

/// The service carried the request out.
pub const SUCCESS: u16 = 0;
/// No such service, or not for this asker; nothing was executed.
pub const NO_SUCH_SERVICE: u16 = 1;
/// Refused; nothing was executed.
pub const REFUSED: u16 = 2;
/// A quota or queue is full; nothing was executed, and asking again later helps.
pub const BUSY: u16 = 3;
/// The service's application is not reachable; nothing was executed.
pub const UNAVAILABLE: u16 = 4;
/// The application took the request and broke off; it may or may not have been executed.
pub const BROKEN: u16 = 5;
/// It was executed, and its answer is larger than an answer may be.
pub const TOO_LARGE: u16 = 6;
/// The first status that means what the service says it means.
pub const SERVICE_MIN: u16 = 16;
