//! What the operator of an introducer or relay grants to others.

use crate::limits;

/// Bounds of what a node does for others; the defaults are those of [`crate::limits`]. They may be raised as well as
/// lowered: they cost the operator's own memory and bandwidth. A rate of 0 counts as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OperatorLimits {
    /// Identities registered at once.
    pub registrations: usize,
    /// Identities registered from one IPv4 address or IPv6 /64.
    pub registrations_per_source: usize,
    /// Searches a minute by one peer; twice as many at once.
    pub searches_per_minute: u32,
    /// Connect orders a minute by one peer.
    pub connects_per_minute: u32,
    /// Connect orders a minute towards one peer.
    pub connects_to_target_per_minute: u32,
    /// Relay channels open at once.
    pub relay_channels: usize,
    /// Relay channels of one peer.
    pub relay_channels_per_peer: usize,
    /// Bytes a second through one relay channel, each direction; four times as many at once.
    pub relay_bytes_per_s: u64,
}

impl Default for OperatorLimits {
    fn default() -> Self {
        Self {
            registrations: limits::REGISTRATIONS,
            registrations_per_source: limits::KEYS_PER_SOURCE,
            searches_per_minute: limits::SEARCHES_PER_MINUTE,
            connects_per_minute: limits::CONNECTS_PER_MINUTE,
            connects_to_target_per_minute: limits::CONNECTS_TO_TARGET_PER_MINUTE,
            relay_channels: limits::RELAY_CHANNELS,
            relay_channels_per_peer: limits::RELAY_CHANNELS_PER_PEER,
            relay_bytes_per_s: limits::RELAY_BYTES_PER_S,
        }
    }
}
