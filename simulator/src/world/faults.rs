//! Misfortune: crashes, restarts, pauses, partitions, reboots of boxes, and changes of address.

use core::net::SocketAddr;
use core::time::Duration;

use p2p_core::api::{AddressFamilies, Command, Link as EngineLink, LinkId};

use super::topology::LanId;
use super::{Occurrence, Who, World};
use crate::app::Application;
use crate::fired::Fault;
use crate::link::Link;
use crate::nat::Nat;

/// The one socket of a host, as its engine knows it.
const LINK: EngineLink = EngineLink {
    id: LinkId(0),
    families: AddressFamilies::Both,
};

impl World {
    /// Ends a host's engine without a goodbye; everything it knew but its keys is lost.
    pub fn crash(&mut self, who: Who) {
        let host = &mut self.hosts[who.0];
        if host.engine.take().is_some() {
            self.fired.note(Fault::Crash);
        }
        host.app = Application::default();
        host.backlog.clear();
        host.paused = false;
        host.strangers.clear();
        if let Some(key) = host.timer.take() {
            self.queue.remove(&key);
        }
        self.ledger.crashed(who.0);
    }

    /// Starts a crashed host's engine with the same keys.
    pub fn restart(&mut self, who: Who) {
        if self.hosts[who.0].engine.is_none() && !self.hosts[who.0].raw {
            self.boot(who);
        }
    }

    /// Whether a host's engine runs.
    #[must_use]
    pub fn is_running(&self, who: Who) -> bool {
        self.hosts[who.0].engine.is_some()
    }

    /// Lets nothing pass between two hosts, neither way, except through others.
    pub fn partition(&mut self, a: Who, b: Who) {
        self.block(a, b);
        self.block(b, a);
    }

    /// Lets nothing pass from one host to another.
    pub fn block(&mut self, from: Who, to: Who) {
        self.blocked.insert((from.0, to.0));
    }

    /// Ends a partition.
    pub fn rejoin(&mut self, a: Who, b: Who) {
        self.blocked.remove(&(a.0, b.0));
        self.blocked.remove(&(b.0, a.0));
    }

    /// Ends all partitions, link faults, pauses, lost interfaces and slowness of applications; crashed hosts start
    /// again.
    pub fn heal(&mut self) {
        self.blocked.clear();
        for who in self.everybody() {
            let latency = self.hosts[who.0].up.link.latency;
            self.set_link(who, Link::with_latency(latency));
            if self.hosts[who.0].paused {
                self.on_resumed(who.0);
            }
            if self.hosts[who.0].unplugged {
                self.on_plugged(who.0, true);
            }
            self.hosts[who.0].app.answers_after = Duration::ZERO;
            self.hosts[who.0].app.keeps_after = Duration::ZERO;
            self.hosts[who.0].app.disk_full = false;
            if self.hosts[who.0].app.lazy {
                self.read_eagerly(who);
            }
            self.restart(who);
        }
    }

    /// Changes a host's link, both directions.
    pub fn set_link(&mut self, who: Who, link: Link) {
        self.hosts[who.0].up.link = link.clone();
        self.hosts[who.0].down.link = link;
    }

    /// Changes one thing of a host's link, both directions.
    pub fn change_link(&mut self, who: Who, change: impl Fn(&mut Link)) {
        change(&mut self.hosts[who.0].up.link);
        change(&mut self.hosts[who.0].down.link);
    }

    /// A host's link: up, down.
    pub fn links_mut(&mut self, who: Who) -> [&mut Link; 2] {
        let host = &mut self.hosts[who.0];
        [&mut host.up.link, &mut host.down.link]
    }

    /// The innermost box in front of a host loses its state, as at a reboot.
    pub fn reboot_nat(&mut self, who: Who) {
        if let Some(nat) = self.topology.gateway(self.hosts[who.0].lan) {
            if !nat.is_empty() {
                self.fired.note(Fault::NatReboot);
            }
            nat.reboot();
        }
    }

    /// The same, and the box comes back with another external address.
    pub fn renumber_nat(&mut self, who: Who) {
        self.reboot_nat(who);
        if self.topology.gateway(self.hosts[who.0].lan).is_some() {
            self.fired.note(Fault::NatRenumber);
        }
        self.topology.renumber_gateway(self.hosts[who.0].lan);
    }

    /// Mappings in the innermost box in front of a host.
    pub fn nat_mappings(&mut self, who: Who) -> usize {
        let lan = self.hosts[who.0].lan;
        self.topology.gateway(lan).map_or(0, |nat| nat.len())
    }

    /// The boxes in front of a host, inner first.
    #[must_use]
    pub fn nats_of(&self, who: Who) -> Vec<Nat> {
        self.topology.chain(self.hosts[who.0].lan)
    }

    /// Whether two hosts are behind one box, or in one network.
    #[must_use]
    pub fn shares_box(&self, a: Who, b: Who) -> bool {
        let [a, b] = [a, b].map(|who| self.topology.boxes_before(self.hosts[who.0].lan));
        a.iter().any(|one| b.contains(one))
    }

    /// Moves a host into another network; its driver notices where `noticed` is set.
    pub fn move_to(&mut self, who: Who, lan: LanId, noticed: bool) {
        self.fired.note(Fault::Roam);
        let host = &mut self.hosts[who.0];
        let port = host.address.port();
        self.topology.detach(host.address.ip(), host.lan);
        host.lan = lan;
        host.address = SocketAddr::new(self.topology.attach(who.0, lan), port);
        let address = host.address;
        host.config.local_addresses = vec![address].into();
        let name = format!("{}.test", host.name);
        self.names.insert(name, address);
        if noticed && !self.hosts[who.0].paused {
            let _ = self.command(who, Command::SetLocalAddresses(vec![address].into()));
            let _ = self.command(who, Command::NetworkChanged);
        }
    }

    /// Gives a host another address in its network.
    pub fn change_address(&mut self, who: Who, noticed: bool) {
        let lan = self.hosts[who.0].lan;
        self.move_to(who, lan, noticed);
    }

    /// Stops a host for a while, as a suspended machine; its socket holds what fits.
    pub fn pause(&mut self, who: Who, duration: Duration) {
        let host = &mut self.hosts[who.0];
        if !core::mem::replace(&mut host.paused, true) {
            let at = self.now + duration;
            self.schedule(at, Occurrence::Resumed { host: who.0 });
        }
    }

    /// Takes a host's interface away for a while: its socket refuses to send and nothing arrives. Where its driver
    /// notices, it says so and tells when the interface is back.
    pub fn unplug(&mut self, who: Who, duration: Duration, noticed: bool) {
        let host = &mut self.hosts[who.0];
        if core::mem::replace(&mut host.unplugged, true) {
            return;
        }
        let noticed = noticed && !host.paused;
        if noticed && self.command(who, Command::LinkDown(LINK.id)).is_ok() {
            self.fired.note(Fault::LinkDown);
        }
        let host = who.0;
        let back = Occurrence::Plugged { host, noticed };
        self.schedule(self.now + duration, back);
    }

    pub(super) fn on_plugged(&mut self, host: usize, noticed: bool) {
        if self.hosts[host].paused {
            // A suspended driver notices nothing.
            let back = Occurrence::Plugged { host, noticed };
            self.schedule(self.now + Duration::from_secs(1), back);
            return;
        }
        self.hosts[host].unplugged = false;
        if noticed {
            // A host that crashed meanwhile hears of it when it starts.
            let _ = self.command(Who(host), Command::LinkUp(LINK));
        }
    }

    /// Whether a host is paused.
    #[must_use]
    pub fn is_paused(&self, who: Who) -> bool {
        self.hosts[who.0].paused
    }
}
