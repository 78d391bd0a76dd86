//! The client side of the node's HTTP surface: one connection for each request, JSON in and out, bytes both ways at
//! once where a stream needs it. Every error answer becomes a [`Failure`].

mod body;
mod escape;
mod events;

use core::time::Duration;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, Response};
use serde_json::Value;
use smol::net::TcpStream;
use smol_hyper::rt::FuturesIo;

pub(crate) use body::{Body, BodySender, full, streaming};
pub(crate) use escape::segment;
pub(crate) use events::{Event, EventReader};

use crate::exit;
use crate::failure::Failure;

/// How long the local node may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take that waits for nobody.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer read whole: a page of the inbox with the largest messages, in base64.
const ANSWER_BYTES: usize = 96 << 20;

/// One node's HTTP surface.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// Where it listens.
    pub address: SocketAddr,
    token: Option<String>,
}

/// Whether a connection outlives its answer. It must where the request's body may outlive it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KeepAlive {
    Yes,
    No,
}

/// An exchange with bytes both ways.
pub(crate) struct Duplex {
    /// What comes down.
    pub body: Incoming,
    /// The stream that it goes over.
    pub stream: String,
    /// Keeps the connection for as long as bytes go up.
    _connection: SendRequest<Body>,
}

/// One request to make.
pub(crate) struct Call {
    method: Method,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Body,
    timeout: Option<Duration>,
}

impl Call {
    /// A request without a body.
    pub(crate) fn new(method: Method, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            headers: Vec::new(),
            body: full(Bytes::new()),
            timeout: Some(ANSWER_TIMEOUT),
        }
    }

    /// `GET`.
    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self::new(Method::GET, target)
    }

    /// `POST`.
    pub(crate) fn post(target: impl Into<String>) -> Self {
        Self::new(Method::POST, target)
    }

    /// `PUT`.
    pub(crate) fn put(target: impl Into<String>) -> Self {
        Self::new(Method::PUT, target)
    }

    /// Adds a header field.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends JSON.
    pub(crate) fn json(self, value: &Value) -> Self {
        let call = self.header("content-type", "application/json");
        Self {
            body: full(value.to_string().into()),
            ..call
        }
    }

    /// Sends bytes.
    pub(crate) fn bytes(self, bytes: Bytes) -> Self {
        self.body(full(bytes))
    }

    /// Sends a body that may come bit by bit.
    pub(crate) fn body(self, body: Body) -> Self {
        let call = self.header("content-type", "application/octet-stream");
        Self { body, ..call }
    }

    /// Waits so long for the head of the answer.
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits for the head of the answer as long as it takes.
    pub(crate) fn patient(mut self) -> Self {
        self.timeout = None;
        self
    }
}

impl Client {
    /// A client of the node at `address`.
    pub(crate) fn new(address: SocketAddr, token: Option<String>) -> Self {
        Self { address, token }
    }

    /// A link to the node's page that logs a browser in, once.
    ///
    /// # Errors
    /// The node does not answer, or the token is wrong.
    pub(crate) async fn page_link(&self) -> Result<String, Failure> {
        let answer = self.json(Call::post("/v1/auth/tickets")).await?;
        let ticket = answer["ticket"].as_str().unwrap_or_default();
        Ok(format!("http://{}/#t={ticket}", self.address))
    }

    /// Makes a request; gives the answer once its head is there, unless it tells of an error.
    ///
    /// # Errors
    /// No node answers, the time is over, or the node answered with an error.
    pub(crate) async fn send(&self, call: Call) -> Result<Response<Incoming>, Failure> {
        let timeout = call.timeout;
        let exchange = self.exchange(call, KeepAlive::No);
        let (response, _) = match timeout {
            Some(limit) => within(limit, exchange)
                .await
                .ok_or_else(|| self.silent(limit))??,
            None => exchange.await?,
        };
        refused(response).await
    }

    /// Makes a request whose body goes up while the answer's comes down; gives the answer once its head is there.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) async fn duplex(&self, call: Call) -> Result<Duplex, Failure> {
        let (response, connection) = self.exchange(call, KeepAlive::Yes).await?;
        let response = refused(response).await?;
        let stream = response.headers().get("x-stream-id");
        let stream = stream.and_then(|id| id.to_str().ok()).unwrap_or_default();
        Ok(Duplex {
            stream: stream.to_owned(),
            body: response.into_body(),
            _connection: connection,
        })
    }

    /// Makes a request and reads the answer's body whole.
    ///
    /// # Errors
    /// As [`Self::send`], or the answer broke off.
    pub(crate) async fn bytes(&self, call: Call) -> Result<Bytes, Failure> {
        collect(self.send(call).await?).await
    }

    /// Makes a request and reads JSON; `null` where the answer is empty.
    ///
    /// # Errors
    /// As [`Self::bytes`], or the answer is not JSON.
    pub(crate) async fn json(&self, call: Call) -> Result<Value, Failure> {
        let bytes = self.bytes(call).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).map_err(|e| {
            Failure::new(exit::GENERIC, "bad_answer", "The answer is not JSON")
                .because(e)
                .fix("Is it a p2p node that listens there? Check --api.")
        })
    }

    /// Follows server-sent events.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) async fn events(&self, call: Call) -> Result<EventReader, Failure> {
        let call = call.header("accept", "text/event-stream");
        Ok(EventReader::new(self.send(call).await?.into_body()))
    }

    async fn exchange(
        &self,
        call: Call,
        keep_alive: KeepAlive,
    ) -> Result<(Response<Incoming>, SendRequest<Body>), Failure> {
        let connect = within(CONNECT_TIMEOUT, TcpStream::connect(self.address)).await;
        let socket = connect
            .ok_or_else(|| self.silent(CONNECT_TIMEOUT))?
            .map_err(|e| self.not_running(&e))?;
        let _ = socket.set_nodelay(true);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(FuturesIo::new(socket))
                .await
                .map_err(|e| broken(&e))?;
        smol::spawn(async move {
            if let Err(e) = connection.await {
                log::debug!("a connection to the node ended: {e}");
            }
        })
        .detach();
        let mut request = Request::builder()
            .method(call.method)
            .uri(call.target)
            .header("host", self.address.to_string())
            .header("user-agent", concat!("p2p/", env!("CARGO_PKG_VERSION")));
        if keep_alive == KeepAlive::No {
            request = request.header("connection", "close");
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(call.body)
            .map_err(|e| Failure::usage("The request cannot be made").because(e))?;
        let response = sender.send_request(request).await;
        Ok((response.map_err(|e| broken(&e))?, sender))
    }

    fn not_running(&self, error: &std::io::Error) -> Failure {
        let what = format!("No node answers at http://{}", self.address);
        Failure::new(exit::NOT_RUNNING, "not_running", what)
            .because(format!("{error}."))
            .fix("Start one with: p2p up (or name it with --api or --state-dir).")
    }

    fn silent(&self, limit: Duration) -> Failure {
        let what = format!("The node at http://{} does not answer", self.address);
        Failure::new(exit::TIMEOUT, "no_answer", what)
            .because(format!("Nothing came within {} s.", limit.as_secs()))
            .fix("Check that it is a p2p node that listens there, then try again.")
    }
}

/// Turns an error answer into a failure.
async fn refused(response: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
    let status = response.status().as_u16();
    if status < 400 {
        return Ok(response);
    }
    let body = within(ANSWER_TIMEOUT, collect(response)).await;
    let body = body.and_then(Result::ok).unwrap_or_default();
    Err(Failure::from_problem(status, &body))
}

/// Reads a body whole.
///
/// # Errors
/// It broke off, or is too large.
pub(crate) async fn collect(response: Response<Incoming>) -> Result<Bytes, Failure> {
    let body = http_body_util::Limited::new(response.into_body(), ANSWER_BYTES);
    match body.collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(e) => Err(
            Failure::new(exit::GENERIC, "broken_off", "The node's answer broke off")
                .because(e)
                .fix("Check that the node still runs: p2p status."),
        ),
    }
}

/// What a future yields, or nothing once the time is over.
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let late = async {
        smol::Timer::after(limit).await;
        None
    };
    futures_lite::future::or(async { Some(future.await) }, late).await
}

fn broken(error: &hyper::Error) -> Failure {
    Failure::new(
        exit::GENERIC,
        "broken_off",
        "The connection to the node broke off",
    )
    .because(error)
    .fix("Check that the node still runs: p2p status.")
}
