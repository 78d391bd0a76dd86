//! Two nodes that an introducer has introduced: ada is connected with ben.

use p2p_core::api::{IntroducerAddress, Roles};
use p2p_core::id::NodeId;
use serde_json::{Value, json};

use crate::api::{Api, Reply, eventually};
use crate::nodes::{Folder, Kind, TestNode, Wish, start};

/// The nodes; they end with this.
pub struct Pair {
    /// The one that asks.
    pub ada: TestNode,
    /// The one that offers; `None` while it is down.
    pub ben: Option<TestNode>,
    introducer: TestNode,
    kind: Kind,
    folders: [Folder; 3],
}

fn node(kind: Kind, folder: &Folder, change: impl FnOnce(&mut Wish)) -> TestNode {
    let mut wish = Wish::new(folder.path());
    change(&mut wish);
    start(kind, &wish).expect("starts")
}

fn peer(kind: Kind, folder: &Folder, name: &str, place: IntroducerAddress) -> TestNode {
    node(kind, folder, |wish| {
        wish.name = Some(name.to_owned());
        wish.introducers = vec![place];
    })
}

impl Pair {
    /// Starts them.
    ///
    /// # Panics
    /// Where one does not start.
    #[must_use]
    pub fn new(ada: Kind, ben: Kind) -> Self {
        let folders = [Folder::new(), Folder::new(), Folder::new()];
        let introducer = node(Kind::Smol, &folders[0], |wish| wish.roles = Roles::ALL);
        let place = introducer.introducer_address();
        let pair = Self {
            ada: peer(ada, &folders[1], "ada", place.clone()),
            ben: Some(peer(ben, &folders[2], "ben", place)),
            introducer,
            kind: ben,
            folders,
        };
        pair.connect();
        pair
    }

    /// Connects ada with ben.
    pub fn connect(&self) {
        eventually("they are connected", || {
            let reply = self.ada.api.post_json("/v1/peers/ben/connect", &json!({}));
            (reply.status == 200).then_some(())
        });
    }

    /// Starts ben again, who is down.
    pub fn restart_ben(&mut self) {
        let place = self.introducer.introducer_address();
        self.ben = Some(peer(self.kind, &self.folders[2], "ben", place));
    }

    /// The way to ben.
    ///
    /// # Panics
    /// While he is down.
    #[must_use]
    pub fn ben(&self) -> &Api {
        &self.ben.as_ref().expect("ben is up").api
    }

    /// Who ben is.
    ///
    /// # Panics
    /// While he is down.
    #[must_use]
    pub fn ben_id(&self) -> NodeId {
        self.ben.as_ref().expect("ben is up").id
    }

    /// Has ben offer something; `allow` is added: ada.
    ///
    /// # Panics
    /// Where his node refuses.
    pub fn offer(&self, name: &str, mut service: Value) {
        service["allow"] = json!([format!("peer:{}", self.ada.id)]);
        let _ = put(self.ben(), &format!("/v1/services/{name}"), &service).expect(200);
    }
}

/// Puts a JSON document.
#[must_use]
pub fn put(api: &Api, target: &str, body: &Value) -> Reply {
    let json = [("content-type", "application/json")];
    api.call("PUT", target, &json, body.to_string().as_bytes())
}

/// Runs a test on all pairs of drivers.
pub fn for_all(test: fn(Kind, Kind)) {
    for ada in [Kind::Smol, Kind::Threads] {
        for ben in [Kind::Smol, Kind::Threads] {
            eprintln!("ada on {ada:?}, ben on {ben:?}");
            test(ada, ben);
        }
    }
}
