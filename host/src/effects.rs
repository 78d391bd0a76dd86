//! Carries out what the engine asks of the outside, away from the loop that owns it.

use std::net::ToSocketAddrs;
use std::thread;

use p2p_core::api::{Command, Effect, EffectKind, EffectResult};
use p2p_storage::PeerRecord;

use crate::peers::PeerKeeper;

/// Carries out `effect`; `answer` is called with the command that tells the outcome, from another thread or at once.
/// Without `peers` nothing is kept of them, and the engine hears so.
pub fn carry_out(
    effect: Effect,
    peers: Option<&PeerKeeper>,
    answer: impl FnOnce(Command) + Send + 'static,
) {
    let Effect { id, kind } = effect;
    let answer = move |result| answer(Command::Answered { id, result });
    match kind {
        EffectKind::Resolve { host, port, .. } => {
            let look_up = move || answer(resolve(&host, port));
            let thread = thread::Builder::new().name("p2p-resolve".to_owned());
            if let Err(error) = thread.spawn(look_up) {
                // The engine hears nothing, which counts as a failure, and asks again.
                log::warn!("cannot start a thread: {error}");
            }
        }
        EffectKind::PersistRecord { peer, record, name } => {
            let peer = PeerRecord {
                id: peer,
                record,
                name,
                address: None,
            };
            match peers {
                Some(peers) => peers.insert(peer, move |kept| {
                    answer(if kept {
                        EffectResult::Persisted
                    } else {
                        EffectResult::Failed
                    });
                }),
                None => answer(EffectResult::Failed),
            }
        }
        other => {
            log::warn!("the engine asks for something unknown: {other:?}");
            answer(EffectResult::Failed);
        }
    }
}

/// Asks the system's resolver; may block for seconds.
fn resolve(host: &str, port: u16) -> EffectResult {
    match (host, port).to_socket_addrs() {
        Ok(addresses) => EffectResult::Resolved(addresses.collect()),
        Err(error) => {
            log::warn!("cannot find the address of {host}: {error}");
            EffectResult::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc;
    use std::time::Duration;

    use p2p_core::api::EffectId;
    use p2p_core::id::NodeId;
    use p2p_core::identity::Identity;
    use p2p_storage::StateDirectory;

    use super::*;

    /// What the engine hears of an effect.
    fn heard(kind: EffectKind, peers: Option<&PeerKeeper>) -> EffectResult {
        let (told, hears) = mpsc::channel();
        let id = EffectId(7);
        carry_out(Effect { id, kind }, peers, move |command| {
            told.send(command).expect("somebody hears");
        });
        match hears.recv_timeout(Duration::from_secs(60)) {
            Ok(Command::Answered { id: of, result }) if of == id => result,
            other => panic!("{other:?}"),
        }
    }

    fn record(name: &str) -> EffectKind {
        let keys = Identity::from_seeds(&[3; 32], &[7; 32], 1).expect("keys");
        EffectKind::PersistRecord {
            peer: keys.node_id(),
            record: keys.record().to_bytes().to_vec(),
            name: Some(name.to_owned()),
        }
    }

    #[test]
    fn a_record_counts_as_kept_only_when_it_is_on_disk() {
        let name = format!("p2p-host-effects-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let state = StateDirectory::open(Some(path.clone())).expect("a folder");
        let peers = PeerKeeper::start(state.peers()).expect("a thread");
        assert_eq!(heard(record("ada"), Some(&peers)), EffectResult::Persisted);
        assert_eq!(state.peers().iter().count(), 1);
        assert_eq!(heard(record("ada"), Some(&peers)), EffectResult::Persisted);

        fs::remove_dir_all(&path).expect("our own folder");
        assert_eq!(heard(record("eve"), Some(&peers)), EffectResult::Failed);
        let again = heard(record("eve"), Some(&peers));
        assert_eq!(again, EffectResult::Failed, "it never was on disk");
        assert_eq!(heard(record("eve"), None), EffectResult::Failed);
    }

    #[test]
    fn a_name_is_looked_up_with_its_port() {
        let resolve = |host: &str| EffectKind::Resolve {
            introducer: NodeId::from_bytes([3; 32]),
            host: host.to_owned(),
            port: 6660,
        };
        let EffectResult::Resolved(found) = heard(resolve("localhost"), None) else {
            panic!("localhost has an address");
        };
        assert!(
            found
                .iter()
                .all(|a| a.ip().is_loopback() && a.port() == 6660)
        );
        assert_eq!(heard(resolve("no such name"), None), EffectResult::Failed);
    }
}
