//! The promises of the state directory: private modes, one process, whole files, and no new identity by accident.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::files::temporary;
use crate::keys::KEY_FILE;

/// A directory that is removed again.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("p2p-storage-{}-{count}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn open(&self) -> Result<StateDirectory, StateError> {
        StateDirectory::open(Some(self.0.clone()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("own file");
}

fn refusal<T>(result: Result<T, StateError>) -> StateError {
    result.err().expect("refused")
}

#[cfg(unix)]
#[test]
fn secrets_are_for_the_owner_alone() {
    let folder = Folder::new();
    let state = folder.open().expect("opens");
    let _ = (state.keys().expect("keys"), state.token().expect("token"));
    assert_eq!(mode(&folder.0), 0o700);
    assert_eq!(mode(&folder.0.join(KEY_FILE)), 0o600);
    assert_eq!(mode(&folder.0.join(TOKEN_FILE)), 0o600);
    for file in [KEY_FILE, TOKEN_FILE] {
        set_mode(&folder.0.join(file), 0o640);
    }
    assert_eq!(refusal(state.keys()).kind, StateErrorKind::Permissions);
    let error = refusal(state.token());
    assert_eq!(error.kind, StateErrorKind::Permissions);
    assert!(error.fix.contains("chmod 600"), "{error}");
    drop(state);
    set_mode(&folder.0, 0o777);
    assert_eq!(refusal(folder.open()).kind, StateErrorKind::Permissions);
}

#[test]
fn keys_and_token_stay_the_same() {
    let folder = Folder::new();
    let state = folder.open().expect("opens");
    let (keys, token) = (state.keys().expect("keys"), state.token().expect("token"));
    drop(state);
    let state = folder.open().expect("opens again");
    let again = state.keys().expect("keys");
    assert!(keys.identity_seed == again.identity_seed && keys.static_seed == again.static_seed);
    assert_eq!(token.reveal(), state.token().expect("token").reveal());
    assert_eq!(
        token.reveal(),
        read_token(&folder.0).expect("token").reveal()
    );
    assert_eq!(keys.node_id(), again.node_id());
}

#[test]
fn one_process_uses_a_directory() {
    let folder = Folder::new();
    let first = folder.open().expect("opens");
    let error = refusal(folder.open());
    assert_eq!(error.kind, StateErrorKind::InUse);
    assert!(
        error.why.contains(&std::process::id().to_string()),
        "{error}"
    );
    drop(first);
    assert!(folder.open().is_ok(), "given back");
}

#[test]
fn a_key_file_cut_at_any_length_is_refused_and_left_alone() {
    let folder = Folder::new();
    let state = folder.open().expect("opens");
    state.keys().expect("keys");
    let path = folder.0.join(KEY_FILE);
    let whole = fs::read(&path).expect("there");
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).expect("written");
        assert_eq!(
            refusal(state.keys()).kind,
            StateErrorKind::Broken,
            "{length} bytes"
        );
        assert_eq!(
            fs::read(&path).expect("there"),
            &whole[..length],
            "untouched"
        );
    }
}

#[test]
fn a_key_file_with_a_changed_byte_never_becomes_another_identity() {
    let folder = Folder::new();
    let state = folder.open().expect("opens");
    let id = state.keys().expect("keys").node_id();
    let path = folder.0.join(KEY_FILE);
    let whole = fs::read(&path).expect("there");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).expect("written");
        if let Ok(keys) = state.keys() {
            assert_eq!(keys.node_id(), id, "byte {at}");
        }
    }
}

#[test]
fn a_key_file_of_a_newer_version_is_refused() {
    let folder = Folder::new();
    let state = folder.open().expect("opens");
    state.keys().expect("keys");
    let path = folder.0.join(KEY_FILE);
    let text = fs::read_to_string(&path)
        .expect("there")
        .replace("\"version\":1", "\"version\":2");
    fs::write(&path, &text).expect("written");
    assert_eq!(refusal(state.keys()).kind, StateErrorKind::NewerVersion);
    assert_eq!(fs::read_to_string(&path).expect("there"), text);
}

#[cfg(unix)]
#[test]
fn a_key_file_that_leads_nowhere_makes_no_identity() {
    let folder = Folder::new();
    let state = folder.open().expect("opens");
    let path = folder.0.join(KEY_FILE);
    std::os::unix::fs::symlink(folder.0.join("gone"), &path).expect("linked");
    assert_eq!(refusal(state.keys()).kind, StateErrorKind::System);
    assert!(fs::symlink_metadata(&path).expect("there").is_symlink());
}

#[test]
fn a_crash_in_the_middle_of_a_replacement_costs_nothing() {
    let folder = Folder::new();
    let state = folder.open().expect("opens");
    let mut keys = state.keys().expect("keys");
    let path = folder.0.join(KEY_FILE);
    fs::write(temporary(&path), b"{\"version\":1,\"node").expect("left behind");
    assert_eq!(state.keys().expect("old keys").record_sequence, 1);
    keys.record_sequence = 2;
    state.replace_keys(&keys).expect("replaced");
    assert_eq!(state.keys().expect("new keys").record_sequence, 2);
    assert!(!temporary(&path).exists(), "nothing left over");
}

fn peer(seed: u8, name: &str) -> PeerRecord {
    let keys = p2p_core::identity::Identity::from_seeds(&[seed; 32], &[7; 32], 1).expect("keys");
    PeerRecord {
        id: keys.node_id(),
        record: keys.record().to_bytes().to_vec(),
        name: Some(name.to_owned()),
        address: Some("192.0.2.1:6660".parse().expect("an address")),
    }
}

#[test]
fn known_peers_survive_and_damage_to_them_is_not_fatal() {
    let folder = Folder::new();
    let state = folder.open().expect("opens");
    let mut book = state.peers();
    assert!(book.insert(peer(1, "ada")));
    assert!(!book.insert(peer(1, "ada")), "nothing new");
    assert!(book.insert(peer(2, "ben")));
    assert!(book.snapshot().write());
    assert_eq!(state.peers().iter().count(), 2);
    let path = folder.0.join("peers.json");
    let text = fs::read_to_string(&path).expect("there");
    fs::write(&path, &text[..text.len() / 2]).expect("cut");
    assert_eq!(state.peers().iter().count(), 0);
    assert!(
        !path.exists() && folder.0.join("peers.json.broken").exists(),
        "moved aside"
    );
}

#[test]
fn a_full_book_forgets_who_was_noted_first() {
    let folder = Folder::new();
    let mut book = folder.open().expect("opens").peers();
    let most = p2p_core::limits::VERIFIED_RECORDS;
    for i in 0..=most as u64 {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&i.to_be_bytes());
        let id = p2p_core::id::NodeId::from_bytes(id);
        book.insert(PeerRecord { id, ..peer(1, "x") });
    }
    assert_eq!(book.iter().count(), most);
    let first = p2p_core::id::NodeId::from_bytes([0; 32]);
    assert!(book.iter().all(|p| p.id != first));
}
