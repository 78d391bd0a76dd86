//! One file for each command. A command gets the context (how to speak, where the node is) and its arguments, and
//! ends well or with a failure.

mod completions;
mod connect;
mod contacts;
mod datagram;
mod forward;
mod invite;
mod join;
mod knocks;
mod latest;
mod message;
mod node;
mod ping;
mod pipe;
mod recv;
mod request;
mod search;
mod send;
mod services;
mod settings;
mod status;
mod tail;
mod token;
mod transfers;
mod ui;
mod up;
mod why;

use std::io::Read as _;

use bytes::Bytes;

use crate::arguments::Command;
use crate::context::Context;
use crate::exit;
use crate::failure::Failure;

/// Does what the command line asks.
///
/// # Errors
/// What went wrong, with its exit code.
pub(crate) async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Up(up) => up::up(context, up).await,
        Command::Introducer(introducer) => up::introducer(context, introducer).await,
        Command::Status => status::run(context).await,
        Command::Search { text, introducer } => search::run(context, &text, introducer).await,
        Command::Connect(connect) => connect::run(context, connect).await,
        Command::Disconnect { peer } => connect::disconnect(context, &peer).await,
        Command::Ping(ping) => ping::run(context, ping).await,
        Command::Why { peer } => why::run(context, &peer).await,
        Command::Msg(msg) => message::run(context, msg).await,
        Command::Tail(tail) => tail::run(context, tail).await,
        Command::SendDatagram { peer, text, topic } => {
            datagram::run(context, &peer, text, &topic).await
        }
        Command::Latest { peer, key, value } => latest::run(context, &peer, &key, value).await,
        Command::Request(request) => request::run(context, request).await,
        Command::Pipe(pipe) => pipe::run(context, pipe).await,
        Command::Invite(invite) => invite::create(context, invite).await,
        Command::Invites { action } => invite::list(context, action).await,
        Command::Join(join) => join::run(context, join).await,
        Command::Send(send) => send::run(context, send).await,
        Command::Recv(recv) => recv::run(context, recv).await,
        Command::Transfers { action } => transfers::run(context, action).await,
        Command::Knocks { action } => knocks::run(context, action).await,
        Command::Contacts { action } => contacts::run(context, action).await,
        Command::Services { action } => services::run(context, action).await,
        Command::Forward(forward) => forward::run(context, forward).await,
        Command::Settings => settings::run(context).await,
        Command::Token { action } => token::run(context, action),
        Command::Ui { no_open } => ui::run(context, no_open).await,
        Command::Demo { once } => crate::demo::run(context, once).await,
        Command::Completions { shell } => {
            completions::run(shell);
            Ok(())
        }
        Command::ExitCodes => {
            context.output.line(exit::TABLE);
            Ok(())
        }
    }
}

/// Content from the command line; `-` stands for standard input.
fn content(text: &str) -> Result<Bytes, Failure> {
    if text != "-" {
        return Ok(Bytes::copy_from_slice(text.as_bytes()));
    }
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|e| {
            Failure::new(exit::GENERIC, "stdin", "Standard input cannot be read").because(e)
        })?;
    Ok(bytes.into())
}
