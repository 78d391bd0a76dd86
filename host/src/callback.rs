//! Asks an application of this machine: one `POST`, one answer, no redirect, no proxy, no connection kept.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use p2p_http_api::{Callback, CallbackEnd};
use ureq::{Agent, Error};

/// Longest time to connect to a port of this machine.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Carries out `callback`; blocks until it has ended.
#[must_use]
pub fn call_back(callback: &Callback) -> CallbackEnd {
    let until = Instant::now() + callback.timeout;
    for address in &callback.addresses {
        let left = until.saturating_duration_since(Instant::now());
        match ask(callback, *address, left) {
            CallbackEnd::Unreachable => {}
            end => return end,
        }
    }
    CallbackEnd::Unreachable
}

fn ask(callback: &Callback, address: SocketAddr, left: Duration) -> CallbackEnd {
    let config = Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT_TIME.min(left)))
        .timeout_global(Some(left))
        .max_idle_connections(0)
        .user_agent("p2p")
        .build();
    let agent: Agent = config.into();
    let request = agent
        .post(format!("http://{address}{}", callback.path))
        .header("host", &callback.authority);
    let request = callback
        .headers
        .iter()
        .fold(request, |request, (name, value)| {
            request.header(*name, value)
        });
    match request.send(&callback.body[..]) {
        Ok(mut answer) => {
            let status = answer.status().as_u16();
            // One byte more tells that there is more.
            let limit = callback.answer_bytes as u64 + 1;
            let body = answer.body_mut().with_config().limit(limit).read_to_vec();
            match body {
                Ok(body) if body.len() > callback.answer_bytes => CallbackEnd::TooLarge,
                Ok(body) => CallbackEnd::Answered {
                    status,
                    body: body.into(),
                },
                Err(Error::BodyExceedsLimit(_)) => CallbackEnd::TooLarge,
                Err(error) => broken(callback, &error),
            }
        }
        // Nothing was sent yet.
        Err(Error::ConnectionFailed) => CallbackEnd::Unreachable,
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            CallbackEnd::Unreachable
        }
        Err(error) => broken(callback, &error),
    }
}

fn broken(callback: &Callback, error: &Error) -> CallbackEnd {
    log::debug!("{} answered badly: {error}", callback.authority);
    CallbackEnd::Broken
}
