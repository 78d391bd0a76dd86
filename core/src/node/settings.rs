//! What the configuration says, checked once and read by the parts of a node.

use crate::api::{ApiMisuse, NodeConfig, OperatorLimits, Roles, Strangers};
use crate::directory::server::DirectoryConfig;
use crate::door::{GuestLimits, Policy};
use crate::id::NodeId;
use crate::identity::Identity;
use crate::level::budget::Budgets;
use crate::limits;
use crate::name::validate_name;
use crate::peer::Common;
use crate::relay::server::RelayConfig;
use crate::rendezvous::Credentials;
use crate::session::ENGINE_CAPABILITIES;

/// What the configuration says and the node only reads; what peers read is in [`Common`].
pub(super) struct Settings {
    pub(super) name: Option<String>,
    pub(super) listed: bool,
    pub(super) roles: Roles,
    pub(super) strangers: Strangers,
    /// Whether peers may be called at their addresses.
    pub(super) direct_paths: bool,
    /// What this node offers, without the bits of the engine (protocol §3.8).
    pub(super) capabilities: u32,
}

impl Settings {
    /// Reads and checks.
    ///
    /// # Errors
    /// `ApiMisuse::InvalidArgument` for a name or network label that is too long or has characters that may not be in
    /// one.
    pub(super) fn of(config: &NodeConfig) -> Result<Self, ApiMisuse> {
        let wrong = |what, must| ApiMisuse::InvalidArgument { what, must };
        if let Some(Err(invalid)) = config.name.as_deref().map(validate_name) {
            return Err(wrong("the name", invalid.must()));
        }
        let is_label = |c: char| c.is_ascii_graphic();
        if config.network.len() > 64 || !config.network.chars().all(is_label) {
            let must = "must have at most 64 visible ASCII characters";
            return Err(wrong("the network", must));
        }
        Ok(Self {
            name: config.name.clone(),
            listed: config.listed,
            roles: config.roles,
            strangers: config.strangers,
            direct_paths: config.direct_paths,
            capabilities: config.capabilities & !ENGINE_CAPABILITIES,
        })
    }

    /// What our introducers are told of this node.
    pub(super) fn credentials(&self, identity: &Identity) -> Credentials {
        let record = identity.record();
        let name = self.name.as_deref();
        let name = name.and_then(|name| {
            identity
                .sign_name(name, record.sequence, limits::NAME_LIFE_S)
                .ok()
        });
        Credentials {
            id: identity.node_id(),
            key_record: record.to_bytes().to_vec(),
            name_record: name.map(|name| name.to_bytes()),
            is_listed: self.listed,
            direct_paths: self.direct_paths,
        }
    }

    /// What the door is told of callers.
    pub(super) const fn policy(&self) -> Policy {
        Policy {
            strangers: self.strangers,
            roles: self.roles,
            capabilities: self.capabilities,
        }
    }
}

/// What the configuration says to all peers.
pub(super) fn common(local_id: NodeId, config: &NodeConfig) -> Common {
    Common {
        local_id,
        congestion: config.congestion,
        weights: config.weights,
        budgets: Budgets::new(config.receive_budget_bytes, config.send_budget_bytes),
        direct_paths: config.direct_paths,
    }
}

/// Bounds of the directory that the operator grants.
pub(super) fn directory(granted: &OperatorLimits) -> DirectoryConfig {
    DirectoryConfig {
        registrations: granted.registrations,
        keys_per_source: granted.registrations_per_source,
        searches_per_minute: granted.searches_per_minute,
        search_burst: granted.searches_per_minute.saturating_mul(2),
        connects_per_minute: granted.connects_per_minute,
        connects_to_target_per_minute: granted.connects_to_target_per_minute,
        ..DirectoryConfig::default()
    }
}

/// How many may come that the owner did not ask for.
pub(super) fn guests(roles: Roles, granted: &OperatorLimits) -> GuestLimits {
    let registrations = if roles.introducer {
        granted.registrations
    } else {
        0
    };
    GuestLimits {
        most: registrations.saturating_add(limits::GUESTS),
        per_source: granted.registrations_per_source,
    }
}

/// Bounds of the relay that the operator grants.
pub(super) fn relay(granted: &OperatorLimits) -> RelayConfig {
    let rate = granted.relay_bytes_per_s;
    // A burst holds a whole datagram, or nothing would ever pass.
    let least = limits::MAX_DATAGRAM_BYTES as u64;
    RelayConfig {
        channels: granted.relay_channels,
        channels_per_peer: granted.relay_channels_per_peer,
        rate_bytes_per_s: rate.max(1),
        burst_bytes: rate.saturating_mul(4).max(least),
        ..RelayConfig::default()
    }
}
