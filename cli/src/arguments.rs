//! The command line (docs/cli.md). Flags go before the environment (`P2P_*`), the environment before the
//! configuration file, the file before the defaults.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::client::segment;
use crate::exit;
use crate::file_arguments::{Recv, Send, Transfers};
use crate::node_arguments::NodeArguments;

/// Talk to other nodes: find them through an introducer, connect directly where NATs allow it, send.
#[derive(Parser)]
#[command(
    name = "p2p",
    version,
    max_term_width = 100,
    after_help = "See also: p2p help exit-codes"
)]
pub(crate) struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args)]
pub(crate) struct Global {
    /// Print one JSON object, or one for each line, instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// The node's HTTP address [default: as the node left it, or http://127.0.0.1:8080]
    #[arg(long, global = true, value_name = "URL", env = "P2P_API")]
    pub api: Option<String>,
    /// The node's state directory [default: $XDG_STATE_HOME/p2p or ~/.local/state/p2p]
    #[arg(long, global = true, value_name = "DIR", env = "P2P_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// Print results only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Log more to standard error; repeat for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a node in the foreground, until Ctrl-C
    Up(Up),
    /// Run a node that introduces and relays others, and print the address to hand out
    Introducer(Introducer),
    /// Show the node, its introducers and its peers
    Status,
    /// Make a link by which somebody becomes your contact, wherever they are
    Invite(Invite),
    /// Show open invitations; take one back
    Invites {
        /// What to do; nothing: show them
        #[command(subcommand)]
        action: Option<Invites>,
    },
    /// Follow somebody's link: you become contacts of each other
    Join(Join),
    /// Search for registered names that start with a text (3 characters at least)
    Search {
        /// First characters of the name
        text: String,
        /// Ask this introducer only: id, first characters of it, or host
        #[arg(long)]
        introducer: Option<String>,
    },
    /// Connect to a peer: id, name, name@introducer, or id@host:port
    Connect(Connect),
    /// Close the connection with a peer
    Disconnect {
        /// Id, first 8 characters of it, or name
        peer: String,
    },
    /// Measure round trips to a peer
    Ping(Ping),
    /// Explain why the path to a peer is what it is, and what would make it better
    Why {
        /// Id, first 8 characters of it, or name
        peer: String,
    },
    /// Send a message and wait until the peer has it whole
    Msg(Msg),
    /// Follow what arrives and what happens
    Tail(Tail),
    /// Send one datagram: may be lost, is never repeated
    SendDatagram {
        /// Id, first 8 characters of it, or name
        peer: String,
        /// The content; - or nothing for standard input
        text: Option<String>,
        #[command(flatten)]
        topic: Topic,
    },
    /// Replace the value of a key with a peer: the newest arrives, never an older one after it
    Latest {
        /// Id, first 8 characters of it, or name
        peer: String,
        /// What the value belongs to, 48 bytes at most
        key: String,
        /// The value, 1024 bytes at most; - or nothing for standard input
        value: Option<String>,
    },
    /// Ask a service of a peer and print its answer
    Request(Request),
    /// Connect standard input and output with a peer through a stream
    Pipe(Pipe),
    /// Send files and folders to a peer; done when its disk has them
    Send(Send),
    /// Wait for files that a peer offers, and take them
    Recv(Recv),
    /// Show files on their way; take or decline what is offered, give one up
    Transfers {
        /// What to do; nothing: show them
        #[command(subcommand)]
        action: Option<Transfers>,
    },
    /// Show strangers that wait for your word (with strangers = ask), let them in or take them off the list
    Knocks {
        /// What to do; nothing: show them
        #[command(subcommand)]
        action: Option<Knocks>,
    },
    /// Show whom you know; name, verify, block or forget them
    Contacts {
        /// What to do; nothing: show them
        #[command(subcommand)]
        action: Option<Contacts>,
    },
    /// Show what this node offers to peers; offer a web application, a TCP port or a webhook, take one back
    Services {
        /// What to do; nothing: show them
        #[command(subcommand)]
        action: Option<Services>,
    },
    /// Let programs of this machine reach a TCP service of a peer through a port; without PEER/SERVICE, show such ports
    Forward(Forward),
    /// Show how the node is set up
    Settings,
    /// The token that opens the HTTP surface
    Token {
        /// What to do with it
        #[command(subcommand)]
        action: Token,
    },
    /// Print a one-time link to the web page, and open it where there is a browser
    Ui {
        /// Print only
        #[arg(long)]
        no_open: bool,
    },
    /// Run an introducer and two peers on this machine, and let them talk
    Demo {
        /// End after the talk instead of leaving the nodes running
        #[arg(long)]
        once: bool,
    },
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Explain the exit codes
    #[command(long_about = exit::TABLE)]
    ExitCodes,
}

/// `p2p invite`
#[derive(Args)]
pub(crate) struct Invite {
    /// What you call who will follow it; if absent, what they say they are called
    pub name: Option<String>,
    /// How many may follow it; more than one are not taken for verified
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub uses: u16,
    /// How long it holds, hours
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=720))]
    pub hours: u64,
    /// Show it as a QR code, too
    #[arg(long)]
    pub qr: bool,
}

/// `p2p invites`
#[derive(Subcommand)]
pub(crate) enum Invites {
    /// Take an invitation back: its link works no more
    Revoke {
        /// Its id, or the first characters of it
        id: String,
    },
}

/// `p2p join`
#[derive(Args)]
pub(crate) struct Join {
    /// The link, p2p:j/...; - for standard input
    pub link: String,
    /// What you call the inviter [default: the name in the link]
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,
    /// Seconds to wait for the inviter; the node goes on calling afterwards
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(0..=120))]
    pub timeout: u64,
}

/// `p2p knocks`
#[derive(Subcommand)]
pub(crate) enum Knocks {
    /// Let a stranger in, now and later
    Accept {
        /// Its id, or 8 first characters of it
        peer: String,
    },
    /// Take a stranger off the list; it may knock again
    Dismiss {
        /// Its id, or 8 first characters of it
        peer: String,
    },
}

/// `p2p contacts`
#[derive(Subcommand)]
pub(crate) enum Contacts {
    /// Call somebody by a name of your own; an empty one takes it away
    Name {
        /// Id, first 8 characters of it, or name
        peer: String,
        /// What you call it
        petname: String,
    },
    /// Say that you compared the eight words with the person
    Verify {
        /// Id, first 8 characters of it, or name
        peer: String,
    },
    /// End the connection with somebody and refuse it from now on
    Block {
        /// Id, first 8 characters of it, or name
        peer: String,
    },
    /// Take a block back
    Unblock {
        /// Id, first 8 characters of it, or name
        peer: String,
    },
    /// Forget somebody, and whose its names were
    Forget {
        /// Id, first 8 characters of it, or name
        peer: String,
    },
    /// Say that a name is somebody else's now, after it changed hands
    Rebind {
        /// NAME@INTRODUCER
        name: String,
        /// The id that it is now
        id: String,
    },
}

/// `p2p services`
#[derive(Subcommand)]
pub(crate) enum Services {
    /// Let peers reach a web application of this machine
    Http {
        /// What peers call it: 1 to 40 of a-z, 0-9 and single hyphens inside
        name: String,
        /// Where it listens: http://127.0.0.1:PORT, with or without a path
        url: String,
        /// Who may: a peer (id, first 8 characters of it, or name), or anyone; may be repeated
        #[arg(long, required = true, value_name = "PEER|anyone")]
        allow: Vec<String>,
    },
    /// Let peers reach a program of this machine that speaks TCP, whatever it says: ssh, a database
    Tcp {
        /// What peers call it: 1 to 40 of a-z, 0-9 and single hyphens inside
        name: String,
        /// Where it listens: 127.0.0.1:PORT
        target: String,
        /// Who may: a peer (id, first 8 characters of it, or name), or anyone; may be repeated
        #[arg(long, required = true, value_name = "PEER|anyone")]
        allow: Vec<String>,
    },
    /// Hand requests of peers to a program of this machine; what it answers is the peer's answer
    Webhook {
        /// What peers call it
        name: String,
        /// Where requests are posted: http://127.0.0.1:PORT/path
        url: String,
        /// Who may ask: a peer (id, first 8 characters of it, or name), or anyone; may be repeated
        #[arg(long, required = true, value_name = "PEER|anyone")]
        allow: Vec<String>,
    },
    /// Let requests of peers wait in the inbox for an answer
    Inbox {
        /// What peers call it
        name: String,
    },
    /// Take a service back; what is under way is cut
    Remove {
        /// What peers call it
        name: String,
    },
}

/// `p2p up`
#[derive(Args)]
pub(crate) struct Up {
    /// How the node is set up.
    #[command(flatten)]
    pub node: NodeArguments,
}

/// `p2p introducer`
#[derive(Args)]
pub(crate) struct Introducer {
    /// How the node is set up.
    #[command(flatten)]
    pub node: NodeArguments,
}

/// `p2p connect`
#[derive(Args)]
pub(crate) struct Connect {
    /// Id, name, name@introducer, or id@host:port for a peer at a known address
    pub target: String,
    /// Ask this introducer: id, first characters of it, or host
    #[arg(long)]
    pub introducer: Option<String>,
    /// Seconds to try
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=120))]
    pub timeout: u64,
}

/// `p2p ping`
#[derive(Args)]
pub(crate) struct Ping {
    /// Id, first 8 characters of it, or name
    pub peer: String,
    /// How many: 5 if absent, with --until-direct 60 at most
    #[arg(short, long, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: Option<u32>,
    /// Seconds between two
    #[arg(short, long, default_value_t = 1.0)]
    pub interval: f64,
    /// Go on until the path is direct, and fail where it does not become so
    #[arg(long)]
    pub until_direct: bool,
}

/// What something is for. Without either, channel 0 is sent to, and all is listened to.
#[derive(Args)]
pub(crate) struct Topic {
    /// Channel number
    #[arg(long)]
    pub channel: Option<u32>,
    /// Name of a service, instead of a channel
    #[arg(long, conflicts_with = "channel", value_name = "NAME")]
    pub service: Option<String>,
}

impl Topic {
    /// As parameters of a query.
    pub(crate) fn query(&self) -> Option<String> {
        let service = || Some(format!("service={}", segment(self.service.as_deref()?)));
        let channel = self.channel.map(|channel| format!("channel={channel}"));
        channel.or_else(service)
    }
}

/// `p2p msg`
#[derive(Args)]
pub(crate) struct Msg {
    /// Id, first 8 characters of it, or name
    pub peer: String,
    /// The text; - for standard input
    pub text: String,
    #[command(flatten)]
    pub topic: Topic,
    /// Seconds to wait for the delivery
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub timeout: u64,
}

/// `p2p tail`
#[derive(Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    pub topic: Topic,
    /// Only these kinds, separated by commas: message, datagram, request, stream, connected, ...
    #[arg(long, value_delimiter = ',')]
    pub types: Vec<String>,
    /// Free what was shown from the inbox
    #[arg(long)]
    pub ack: bool,
    /// End after so many lines
    #[arg(short = 'n', long, value_name = "LINES")]
    pub lines: Option<u64>,
}

/// `p2p request`
#[derive(Args)]
pub(crate) struct Request {
    /// Id, first 8 characters of it, or name
    pub peer: String,
    /// Name of the service: echo and node.hello are everywhere
    pub service: String,
    /// The body; - for standard input, nothing for an empty one
    pub body: Option<String>,
    /// Seconds to wait for the answer
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=50))]
    pub timeout: u64,
}

/// `p2p pipe`
#[derive(Args)]
pub(crate) struct Pipe {
    /// Id, first 8 characters of it, or name; with --listen: only from this peer
    #[arg(required_unless_present = "listen")]
    pub peer: Option<String>,
    /// Take the next stream that comes in instead of opening one
    #[arg(long)]
    pub listen: bool,
    /// Send nothing: only print what comes
    #[arg(long)]
    pub no_stdin: bool,
    #[command(flatten)]
    pub topic: Topic,
}

/// `p2p forward`
#[derive(Args)]
pub(crate) struct Forward {
    /// Where it leads: id, first 8 characters of it, or name; then a slash and the name of the service
    #[arg(value_name = "PEER/SERVICE")]
    pub to: Option<String>,
    /// Where programs connect, on loopback [default: any free port of 127.0.0.1]
    #[arg(long, value_name = "ADDR:PORT", requires = "to")]
    pub listen: Option<String>,
    /// What to call it, SERVICE@PEER if absent; one of the same name is replaced
    #[arg(long, requires = "to")]
    pub name: Option<String>,
    /// Close the one of this name, with its connections
    #[arg(long, value_name = "NAME", conflicts_with = "to")]
    pub remove: Option<String>,
}

/// `p2p token`
#[derive(Subcommand)]
pub(crate) enum Token {
    /// Print it
    Print,
    /// Print the name of the file that holds it
    Path,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;
    use p2p_host::settings;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn introducers_repeat() {
        let id = "y".repeat(52);
        let one = format!("p2p://{id}@192.0.2.1:6660");
        let two = format!("p2p://{id}@[2001:db8::1]:6660");
        let line = [
            "p2p",
            "up",
            "--introducer",
            &one,
            "--introducer",
            &two,
            "--role",
            "relay,stun",
        ];
        let Command::Up(up) = Arguments::try_parse_from(line)
            .ok()
            .map(|a| a.command)
            .unwrap()
        else {
            panic!("another command");
        };
        let options = settings::read_options(&up.node.given).expect("good values");
        assert_eq!(options.introducers.len(), 2);
        assert!(options.roles.relay && options.roles.stun && !options.roles.introducer);
    }
}
