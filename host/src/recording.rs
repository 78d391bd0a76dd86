//! The engine that a driver runs: the plain one, or one whose inputs are written to a file.

use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::path::Path;

use p2p_core::Node;
use p2p_core::api::{Engine, NodeConfig};
use p2p_core::record::Recorder;
use p2p_core::time::Instant;

use crate::error::NodeError;

/// Largest recording, bytes.
const RECORDING_BYTES: u64 = 1 << 30;

/// Makes the engine; with `record`, everything that it is told is written to that file, secrets included, so that
/// `p2p-sim replay` can run it again. The file must not exist, and only its owner may read it.
///
/// # Errors
/// Where the engine refuses the configuration or the file cannot be made.
pub fn engine(
    config: NodeConfig,
    now: Instant,
    record: Option<&Path>,
) -> Result<Box<dyn Engine + Send>, NodeError> {
    let Some(path) = record else {
        return Ok(Box::new(Node::new(config, now)?));
    };
    let file = create(path).map_err(|error| {
        let path = path.to_owned();
        NodeError::Recording { path, error }
    })?;
    log::warn!(
        "recording to {}: it holds this node's secret keys and all that is said; delete it after use",
        path.display()
    );
    let out = BufWriter::new(file);
    let recorder = Recorder::start(config, now, Node::new, out, RECORDING_BYTES)?;
    Ok(Box::new(recorder))
}

fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}
