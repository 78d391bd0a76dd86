//! One file per resource; each function here is a handler of the route table (crate::routes).

pub(crate) mod auth;
pub(crate) mod contacts;
pub(crate) mod events;
pub(crate) mod forwards;
pub(crate) mod inbox;
pub(crate) mod introducers;
pub(crate) mod invites;
pub(crate) mod knocks;
pub(crate) mod lines;
pub(crate) mod messages;
pub(crate) mod node;
pub(crate) mod page;
pub(crate) mod peers;
pub(crate) mod proxied;
pub(crate) mod requests;
mod resolve;
pub(crate) mod search;
pub(crate) mod services;
pub(crate) mod streams;
pub(crate) mod transfers;
