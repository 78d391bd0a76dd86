//! One file per resource; each function here is a handler of the route table (crate::routes).

pub mod auth;
pub mod events;
pub mod inbox;
pub mod introducers;
pub mod messages;
pub mod node;
pub mod page;
pub mod peers;
pub mod requests;
mod resolve;
pub mod search;
pub mod services;
pub mod streams;
