//! Nodes of either driver on real loopback sockets, in threads of the test, each with a state directory of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use p2p_core::api::{IntroducerAddress, Roles};
use p2p_core::id::NodeId;

use crate::api::Api;

/// Which driver runs a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `p2p-driver-smol`.
    Smol,
    /// `p2p-driver-std`.
    Threads,
}

/// What a test says of a node; addresses are loopback with free ports unless told otherwise.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Name to register.
    pub name: Option<String>,
    /// Introducers.
    pub introducers: Vec<IntroducerAddress>,
    /// Roles.
    pub roles: Roles,
    /// State directory.
    pub state_dir: PathBuf,
    /// UDP address.
    pub listen: SocketAddr,
    /// HTTP address.
    pub http: SocketAddr,
}

impl Wish {
    /// A plain node.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self {
            name: None,
            introducers: Vec::new(),
            roles: Roles::default(),
            state_dir: state_dir.to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            http: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }
}

/// A directory that is removed again.
pub struct Folder(PathBuf);

impl Folder {
    /// A name that nobody else uses; nothing is made yet.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("p2p-tests-{}-{count}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running node; it ends when dropped.
pub struct TestNode {
    /// Its identity.
    pub id: NodeId,
    /// Its UDP address.
    pub udp: SocketAddr,
    /// The way to its HTTP surface.
    pub api: Api,
    /// The page's address with its ticket.
    pub page_url: String,
    ending: Ending,
}

enum Ending {
    Smol(async_channel::Sender<()>, Option<JoinHandle<()>>),
    Threads {
        _running: Box<p2p_driver_std::Running>,
    },
}

impl TestNode {
    /// The address to give to other nodes.
    #[must_use]
    pub fn introducer_address(&self) -> IntroducerAddress {
        IntroducerAddress {
            id: self.id,
            host: self.udp.ip().to_string(),
            port: self.udp.port(),
        }
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        if let Ending::Smol(shutdown, thread) = &mut self.ending {
            let _ = shutdown.try_send(());
            if let Some(thread) = thread.take() {
                let _ = thread.join();
            }
        }
    }
}

fn token_in(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("the token file of a running node");
    text.trim().to_owned()
}

/// Starts a node.
///
/// # Errors
/// What its driver says, with the fix.
pub fn start(kind: Kind, wish: &Wish) -> Result<TestNode, String> {
    match kind {
        Kind::Smol => start_smol(wish),
        Kind::Threads => start_threads(wish),
    }
}

fn start_smol(wish: &Wish) -> Result<TestNode, String> {
    let options = p2p_driver_smol::NodeOptions {
        state_dir: Some(wish.state_dir.clone()),
        listen: Some(wish.listen),
        http: Some(wish.http),
        name: wish.name.clone(),
        introducers: wish.introducers.clone(),
        roles: wish.roles,
        ..p2p_driver_smol::NodeOptions::default()
    };
    let (shutdown, ended) = async_channel::bounded::<()>(1);
    let (ready, started) = mpsc::channel();
    let thread = thread::spawn(move || {
        let until = async move {
            let _ = ended.recv().await;
        };
        let tell = ready.clone();
        let run = p2p_driver_smol::run_node(options, until, move |facts| {
            let _ = tell.send(Ok(facts.clone()));
        });
        if let Err(error) = smol::block_on(run) {
            let _ = ready.send(Err(format!("{error}; {}", error.fix())));
        }
    });
    let facts = started.recv().map_err(|e| e.to_string())??;
    Ok(TestNode {
        id: facts.id,
        udp: facts.udp[0],
        api: Api {
            address: facts.http[0],
            token: token_in(&facts.token_path),
        },
        page_url: facts.page_url,
        ending: Ending::Smol(shutdown, Some(thread)),
    })
}

fn start_threads(wish: &Wish) -> Result<TestNode, String> {
    let options = p2p_driver_std::NodeOptions {
        state_dir: Some(wish.state_dir.clone()),
        listen: Some(wish.listen),
        http: Some(wish.http),
        name: wish.name.clone(),
        introducers: wish.introducers.clone(),
        roles: wish.roles,
        ..p2p_driver_std::NodeOptions::default()
    };
    let running = p2p_driver_std::start(&options).map_err(|e| format!("{e}; {}", e.fix()))?;
    Ok(TestNode {
        id: running.facts.id,
        udp: running.facts.udp[0],
        api: Api {
            address: running.facts.http[0],
            token: token_in(&running.facts.token_path),
        },
        page_url: running.facts.page_url.clone(),
        ending: Ending::Threads {
            _running: Box::new(running),
        },
    })
}
