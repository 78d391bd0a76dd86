//! A host and a home whose machines have two addresses of each family, with a router between them that translates both
//! and lets in only what was asked for, port for port: an answer from another address than was asked never arrives.

use std::path::{Path, PathBuf};

use super::internet::scratch_folder;
use super::namespace::Namespace;

/// Rules of the router: masquerade keeps the inner port, so its filter is address- and port-dependent (RFC 4787).
const RULES: &str = "flush ruleset
table inet home {
    chain postrouting {
        type nat hook postrouting priority 100;
        oifname \"wan\" masquerade
    }
    chain input {
        type filter hook input priority 0;
        iifname \"wan\" meta l4proto udp drop
    }
    chain forward {
        type filter hook forward priority 0;
        policy drop;
        ct state established,related accept
        iifname \"lan\" accept
    }
}
";

/// The namespaces, and a folder for what their programs write.
pub struct Twofold {
    host: Namespace,
    home: Namespace,
    _router: Namespace,
    folder: PathBuf,
}

impl Twofold {
    /// Addresses of the host, which the router reaches directly.
    pub const HOST: [&str; 4] = [
        "192.0.2.2",
        "192.0.2.3",
        "2001:db8:0:2::2",
        "2001:db8:0:2::3",
    ];

    /// Builds it.
    ///
    /// # Errors
    /// What the tools complained of.
    pub fn build() -> Result<Self, String> {
        let host = Namespace::create("host")?;
        let home = Namespace::create("home")?;
        let router = Namespace::create("router")?;
        router.forward()?;
        router.cable(
            ("wan", "192.0.2.1/24"),
            (&host, "eth0", &format!("{}/24", Self::HOST[0])),
        )?;
        router.cable(
            ("lan", "192.168.1.1/24"),
            (&home, "eth0", "192.168.1.10/24"),
        )?;
        let more = [
            (&host, "eth0", "192.0.2.3/24"),
            (&host, "eth0", "2001:db8:0:2::2/64 nodad"),
            (&host, "eth0", "2001:db8:0:2::3/64 nodad"),
            (&home, "eth0", "192.168.1.11/24"),
            (&home, "eth0", "fd00:1::10/64 nodad"),
            (&home, "eth0", "fd00:1::11/64 nodad"),
            (&router, "wan", "2001:db8:0:2::1/64 nodad"),
            (&router, "lan", "fd00:1::1/64 nodad"),
        ];
        for (namespace, device, address) in more {
            namespace.ip(&format!("addr add {address} dev {device}"))?;
        }
        home.ip("route add default via 192.168.1.1")?;
        home.ip("-6 route add default via fd00:1::1")?;
        router.nft(RULES)?;
        Ok(Self {
            host,
            home,
            _router: router,
            folder: scratch_folder()?,
        })
    }

    /// Where the introducer runs.
    #[must_use]
    pub const fn host(&self) -> &Namespace {
        &self.host
    }

    /// Where clients run, behind the router.
    #[must_use]
    pub const fn home(&self) -> &Namespace {
        &self.home
    }

    /// Where programs keep their state; gone with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Twofold {
    fn drop(&mut self) {
        // A folder that stays is untidy, not wrong.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
