//! A client of a node's HTTP surface for tests: blocking, one connection per request, with streaming both ways.
//! Hand-written over TCP, so that a test sees exactly what the node sends.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest silence of a node.
const READ_TIME: Duration = Duration::from_secs(70);
/// Longest wait for something that must come to pass.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(25);

/// Looks until `look` finds what must come to pass.
///
/// # Panics
/// Where it does not within a minute.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "did not come to pass: {what}");
        std::thread::sleep(LOOK);
    }
}

/// The way to one node.
#[derive(Clone, Debug)]
pub struct Api {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its token.
    pub token: String,
}

/// A whole response.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as JSON; `Null` where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Checks the status and gives the reply back.
    ///
    /// # Panics
    /// Where the status is another.
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        self
    }
}

/// A request on its way; the response may be read while the body is written.
pub struct Call {
    stream: TcpStream,
}

/// A response of which the head was read.
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    reader: BufReader<TcpStream>,
    left: Left,
}

enum Left {
    Exactly(u64),
    Chunks(u64),
    Ended,
}

impl Api {
    /// Asks for something without a body.
    #[must_use]
    pub fn get(&self, target: &str) -> Reply {
        self.call("GET", target, &[], b"")
    }

    /// Sends a body.
    #[must_use]
    pub fn post(&self, target: &str, body: &[u8]) -> Reply {
        self.call("POST", target, &[], body)
    }

    /// Sends a JSON body.
    #[must_use]
    pub fn post_json(&self, target: &str, body: &Value) -> Reply {
        let json = [("content-type", "application/json")];
        self.call("POST", target, &json, body.to_string().as_bytes())
    }

    /// Sends a body with header fields and reads the whole response.
    ///
    /// # Panics
    /// Where the node does not answer.
    #[must_use]
    pub fn call(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut fields: Vec<(&str, String)> =
            headers.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
        if !body.is_empty() || method != "GET" {
            fields.push(("content-length", body.len().to_string()));
        }
        let attempt = || -> io::Result<Reply> {
            let mut call = self.open(method, target, &fields)?;
            // A node may refuse before it has read all.
            let _ = call.stream.write_all(body);
            let mut response = call.response()?;
            let mut bytes = Vec::new();
            response.read_to_end(&mut bytes)?;
            Ok(Reply {
                status: response.status,
                headers: response.headers,
                body: bytes,
            })
        };
        match attempt() {
            Ok(reply) => reply,
            Err(error) => panic!("{method} {target}: {error}"),
        }
    }

    /// Begins a request whose body comes in chunks.
    ///
    /// # Panics
    /// Where the node cannot be reached.
    #[must_use]
    pub fn begin(&self, method: &str, target: &str) -> Call {
        let chunked = [("transfer-encoding", "chunked".to_owned())];
        match self.open(method, target, &chunked) {
            Ok(call) => call,
            Err(error) => panic!("{method} {target}: {error}"),
        }
    }

    /// Asks for something whose response comes bit by bit.
    ///
    /// # Panics
    /// Where the node cannot be reached.
    #[must_use]
    pub fn follow(&self, target: &str) -> Call {
        match self.open("GET", target, &[]) {
            Ok(call) => call,
            Err(error) => panic!("GET {target}: {error}"),
        }
    }

    fn open(&self, method: &str, target: &str, headers: &[(&str, String)]) -> io::Result<Call> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(READ_TIME))?;
        stream.set_write_timeout(Some(READ_TIME))?;
        stream.set_nodelay(true)?;
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        let own = [
            ("host", self.address.to_string()),
            ("authorization", format!("Bearer {}", self.token)),
            ("connection", "close".to_owned()),
        ];
        let given = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let own = own.iter().filter(|(name, _)| !given(name));
        for (name, value) in own.chain(headers).filter(|(_, v)| !v.is_empty()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        Ok(Call { stream })
    }
}

impl Call {
    /// A second hand on the same request, to write in another thread.
    ///
    /// # Panics
    /// Where the system refuses.
    #[must_use]
    pub fn writer(&self) -> Self {
        Self {
            stream: self.stream.try_clone().expect("a second hand"),
        }
    }

    /// Writes a piece of the body.
    ///
    /// # Errors
    /// Where the node has closed.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.is_empty() {
            return Ok(());
        }
        write!(self.stream, "{:x}\r\n", piece.len())?;
        self.stream.write_all(piece)?;
        self.stream.write_all(b"\r\n")
    }

    /// Ends the body.
    ///
    /// # Errors
    /// Where the node has closed.
    pub fn finish(&mut self) -> io::Result<()> {
        self.stream.write_all(b"0\r\n\r\n")
    }

    /// Goes away in the middle.
    pub fn vanish(self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Reads the head of the response, past interim ones.
    ///
    /// # Errors
    /// Where the node has closed or the head is none.
    pub fn response(self) -> io::Result<Response> {
        let mut reader = BufReader::new(self.stream);
        loop {
            let (status, headers) = read_head(&mut reader)?;
            if status >= 200 {
                let left = left_of(status, &headers);
                return Ok(Response {
                    status,
                    headers,
                    reader,
                    left,
                });
            }
        }
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end().to_owned())
}

type Head = (u16, Vec<(String, String)>);

fn read_head(reader: &mut impl BufRead) -> io::Result<Head> {
    let line = read_line(reader)?;
    let status = line.split(' ').nth(1).and_then(|s| s.parse().ok());
    let status = status.ok_or_else(|| bad(&format!("no status line: {line}")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok((status, headers));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad("no header field"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn left_of(status: u16, headers: &[(String, String)]) -> Left {
    let value = |name: &str| {
        headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    if status == 204 || status == 304 {
        return Left::Ended;
    }
    match (value("transfer-encoding"), value("content-length")) {
        (Some("chunked"), _) => Left::Chunks(0),
        (_, Some(length)) => Left::Exactly(length.parse().unwrap_or(0)),
        _ => Left::Ended,
    }
}

impl Response {
    /// A header field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        fields.find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

impl Read for Response {
    /// Reads decoded body bytes; a body that breaks off is an error.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Left::Chunks(0) = self.left {
            let line = read_line(&mut self.reader)?;
            let size = u64::from_str_radix(&line, 16).map_err(|_| bad("no chunk size"))?;
            if size == 0 {
                let _ = read_line(&mut self.reader)?;
                self.left = Left::Ended;
            } else {
                self.left = Left::Chunks(size);
            }
        }
        let (Left::Exactly(left) | Left::Chunks(left)) = &mut self.left else {
            return Ok(0);
        };
        if *left == 0 {
            return Ok(0);
        }
        let most = usize::try_from(*left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let got = self.reader.read(&mut buffer[..most])?;
        if got == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *left -= got as u64;
        if matches!(self.left, Left::Chunks(0)) {
            let _ = read_line(&mut self.reader)?;
        }
        Ok(got)
    }
}
