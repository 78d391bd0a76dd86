//! Files of a state directory that somebody, or a bad disk, wrote: they are used or refused, and a key file stays as it
//! is. The first byte says which file.

use std::fs;

use p2p_host::settings::SETTINGS;
use p2p_storage::{SettingsFile, StateDirectory};

/// Names of the files, by the first byte.
const FILES: [&str; 3] = ["identity.json", "token", "peers.json"];

/// Opens a state directory with the file in it.
pub(crate) fn files(bytes: &[u8]) {
    let Some((which, content)) = bytes.split_first() else {
        return;
    };
    let Some(name) = FILES.get(usize::from(*which)) else {
        let known: Vec<_> = SETTINGS.iter().map(|s| s.key).collect();
        let text = String::from_utf8_lossy(content);
        let _ = SettingsFile::parse(&text, &known);
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("room");
    if let Ok(state) = StateDirectory::open(Some(folder.path().to_owned())) {
        let keys = state.keys();
        let _ = state.token();
        let _ = state.peers().iter().count();
        if *which == 0 && keys.is_err() {
            assert_eq!(
                fs::read(&path).ok().as_deref(),
                Some(content),
                "a key file was changed"
            );
        }
    }
}
