//! Budgets: how often something may happen. A [`TokenBucket`] meters one thing, a [`SourceMeter`]
//! meters unauthenticated source addresses in a table of fixed size, so that a flood from a
//! million forged addresses costs as much memory as one, a [`FairBudget`] shares one thing among many
//! sources, and [`Shares`] count what each source has at once.
//!
//! Takes: the time and how much is wanted. Returns: whether it may be done (docs/protocol.md §3.5,
//! §6.3).

mod bucket;
mod fair;
mod shares;
mod source_key;
mod sources;

pub(crate) use bucket::TokenBucket;
pub(crate) use fair::FairBudget;
pub(crate) use shares::Shares;
pub(crate) use source_key::SourceKey;
pub(crate) use sources::SourceMeter;
