//! Why a node does not start: what, why, and what to do about it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use p2p_core::api::ApiMisuse;
use p2p_storage::StateError;

/// Why a node could not be started or kept running.
#[derive(Debug)]
#[non_exhaustive]
pub enum NodeError {
    /// The state directory is not usable.
    State(StateError),
    /// An address could not be bound.
    Bind {
        /// The setting that names the address: `listen` or `http`.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The HTTP surface was to be opened to other machines.
    NotLoopback(SocketAddr),
    /// The engine refused its configuration.
    Configuration(ApiMisuse),
    /// A recording could not be begun.
    Recording {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The operating system gave no randomness.
    Randomness(getrandom::Error),
    /// Any other refusal of the operating system.
    System(io::Error),
}

impl NodeError {
    /// What could not be done, as a clause.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::State(error) => error.what.clone(),
            Self::Bind { address, .. } => format!("cannot open {address}"),
            Self::NotLoopback(address) => format!("cannot open {address} for HTTP"),
            Self::Configuration(_) => "cannot make the node".to_owned(),
            Self::Recording { path, .. } => format!("cannot record to {}", path.display()),
            Self::Randomness(_) => "no randomness to be had".to_owned(),
            Self::System(_) => "the operating system refuses".to_owned(),
        }
    }

    /// Why not, as a clause.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::State(error) => error.why.clone(),
            Self::Bind { error, .. } if error.kind() == io::ErrorKind::AddrInUse => {
                "another program uses it".to_owned()
            }
            Self::Bind { error, .. } | Self::Recording { error, .. } | Self::System(error) => {
                error.to_string()
            }
            Self::NotLoopback(_) => "it is plain text and for this machine only".to_owned(),
            Self::Configuration(error) => error.to_string(),
            Self::Randomness(error) => error.to_string(),
        }
    }

    /// What to do about it, as a clause.
    #[must_use]
    pub fn fix(&self) -> String {
        match self {
            Self::State(error) => error.fix.clone(),
            Self::Bind { setting, error, .. } => match error.kind() {
                io::ErrorKind::AddrInUse => format!(
                    "end the program that uses it, or choose another address with --{setting}"
                ),
                io::ErrorKind::AddrNotAvailable => {
                    format!("name an address of this machine with --{setting}")
                }
                io::ErrorKind::PermissionDenied => {
                    format!("choose a port of 1024 or more with --{setting}")
                }
                _ => format!("choose another address with --{setting}"),
            },
            Self::NotLoopback(address) => format!(
                "use --http 127.0.0.1:{port}; from elsewhere: ssh -L {port}:127.0.0.1:{port}",
                port = address.port()
            ),
            Self::Configuration(_) => "correct the setting".to_owned(),
            Self::Recording { .. } => {
                "name a new file in a directory that may be written".to_owned()
            }
            Self::Randomness(_) => "make getrandom(2) available to this process".to_owned(),
            Self::System(_) => "look into the reason and start again".to_owned(),
        }
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what(), self.why())
    }
}

impl std::error::Error for NodeError {}

impl From<StateError> for NodeError {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl From<ApiMisuse> for NodeError {
    fn from(error: ApiMisuse) -> Self {
        Self::Configuration(error)
    }
}

impl From<io::Error> for NodeError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<getrandom::Error> for NodeError {
    fn from(error: getrandom::Error) -> Self {
        Self::Randomness(error)
    }
}
