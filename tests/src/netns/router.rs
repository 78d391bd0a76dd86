//! A home router: translates addresses between its `lan` and its `wan` cable, lets in only what was asked for, and can
//! reboot, after which its mappings are new.

use super::namespace::Namespace;

/// How a router maps ports (RFC 4787 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nat {
    /// Keeps the inner port: endpoint-independent mapping, address- and port-dependent filtering.
    KeepsPort,
    /// Uses one fixed outer port: as above, but the inner port is not visible outside.
    OnePort(u16),
    /// Draws a port for each destination: address- and port-dependent mapping ("symmetric").
    Random,
}

impl Nat {
    /// The whole rule set of a router with this NAT.
    #[must_use]
    pub fn rules(self) -> String {
        let translate = match self {
            Self::KeepsPort => "masquerade".to_owned(),
            Self::OnePort(port) => format!("meta l4proto udp masquerade to :{port}"),
            Self::Random => "masquerade random".to_owned(),
        };
        // A router answers no stranger. Where it did, the kernel would note the stranger's early probe as a
        // connection of its own and give the peer's answer another port: a cone would turn symmetric.
        format!(
            "flush ruleset
table ip home {{
    chain postrouting {{
        type nat hook postrouting priority 100;
        oifname \"wan\" {translate}
    }}
    chain input {{
        type filter hook input priority 0;
        iifname \"wan\" meta l4proto udp drop
    }}
    chain forward {{
        type filter hook forward priority 0;
        policy drop;
        ct state established,related accept
        iifname \"lan\" accept
    }}
}}
"
        )
    }
}

/// A router between a home and the internet.
pub struct Router {
    namespace: Namespace,
    gateway: String,
}

impl Router {
    /// Takes a namespace that has its `lan` and `wan` cables; `gateway` is the internet's end of `wan`.
    ///
    /// # Errors
    /// What the tools complained of.
    pub fn new(namespace: Namespace, gateway: &str, nat: Nat) -> Result<Self, String> {
        let gateway = gateway.to_owned();
        let router = Self { namespace, gateway };
        router.namespace.forward()?;
        router.namespace.nft(&nat.rules())?;
        router.route()?;
        Ok(router)
    }

    /// Loads other rules and keeps the mappings that there are.
    ///
    /// # Errors
    /// What `nft` complained of.
    pub fn load(&self, nat: Nat) -> Result<(), String> {
        self.namespace.nft(&nat.rules())
    }

    /// Forgets every mapping and comes back with another NAT. Taking the outer device down is what makes the kernel
    /// forget: masquerading ends with its device.
    ///
    /// # Errors
    /// What the tools complained of.
    pub fn reboot(&self, nat: Nat) -> Result<(), String> {
        self.namespace.ip("link set wan down")?;
        self.namespace.nft(&nat.rules())?;
        self.namespace.ip("link set wan up")?;
        self.route()
    }

    fn route(&self) -> Result<(), String> {
        self.namespace
            .ip(&format!("route replace default via {}", self.gateway))
            .map(drop)
    }
}
