//! The HTTP surface on hyper: a listener per loopback address, one task per connection, the surface in the loop.

mod application;
mod body;
mod exchange;
mod hang_up;
mod newcomers;
mod server;
mod upgraded;

pub use application::{HttpApplication, HttpClient};
pub(crate) use server::{Connections, HttpServer};
