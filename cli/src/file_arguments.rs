//! What `p2p send`, `p2p recv` and `p2p transfers` are told.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `p2p send`
#[derive(Args)]
pub(crate) struct Send {
    /// Files and folders
    #[arg(required = true, value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
    /// Whom to: id, first 8 characters of it, or name
    #[arg(long, value_name = "PEER")]
    pub to: String,
    /// Seconds to wait for the receipt; the transfer goes on in the node
    #[arg(long)]
    pub timeout: Option<u64>,
}

/// Where files go.
#[derive(Args)]
pub(crate) struct Place {
    /// Folder for what comes [default: the present one]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Where a file of a name is there with another content: a new name, leave the new one out, or replace
    #[arg(long, default_value = "rename", value_parser = ["rename", "skip", "overwrite"])]
    pub conflict: String,
}

/// `p2p recv`
#[derive(Args)]
pub(crate) struct Recv {
    /// Accept without asking
    #[arg(short, long)]
    pub yes: bool,
    /// Take an offer of anybody, not only of peers that you chose
    #[arg(long)]
    pub anyone: bool,
    /// Seconds to wait for an offer
    #[arg(long)]
    pub timeout: Option<u64>,
    #[command(flatten)]
    pub place: Place,
}

/// `p2p transfers`
#[derive(Subcommand)]
pub(crate) enum Transfers {
    /// Take what is offered, and wait until it is there
    Accept {
        /// Its id, or first characters of it
        id: String,
        #[command(flatten)]
        place: Place,
    },
    /// Do not take what is offered
    Decline {
        /// Its id, or first characters of it
        id: String,
    },
    /// Give a transfer up, for good
    Cancel {
        /// Its id, or first characters of it
        id: String,
    },
}
