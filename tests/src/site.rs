//! A web server as an application has one, for tests: files in memory, ranges, uploads, and ways to break off.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Method and target.
    pub line: String,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body, and a sum over them.
    pub body: (usize, u64),
    /// Whether the body came to its end.
    pub is_whole: bool,
}

/// A running site.
pub struct Site {
    /// Where it listens.
    pub address: SocketAddr,
    /// Uploads whose body began to come.
    pub begun: Arc<AtomicUsize>,
    /// What came in, in order.
    pub seen: Arc<Mutex<Vec<Seen>>>,
    /// Connections that were cut from the other side while an answer was written.
    pub cut: Arc<AtomicUsize>,
}

/// A sum that depends on every byte and its place.
#[must_use]
pub fn sum(bytes: &[u8]) -> u64 {
    sum_on(0, bytes)
}

fn sum_on(before: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(before, |sum, byte| {
        sum.wrapping_mul(0x0100_0000_01B3)
            .wrapping_add(u64::from(*byte) + 1)
    })
}

impl Site {
    /// Serves `/file` (with ranges), `/list`, `/slow` (half of what it announces, then the connection breaks), `/stuck`
    /// (a head and nothing more), `/chunks` (without a length), `/moved`, and takes what is sent to `/up`.
    ///
    /// # Panics
    /// Where the system has no port.
    #[must_use]
    pub fn start(file: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let site = Self {
            address,
            begun: Arc::default(),
            seen: Arc::default(),
            cut: Arc::default(),
        };
        let (seen, cut, file) = (site.seen.clone(), site.cut.clone(), Arc::new(file));
        let begun = site.begun.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, cut, file) = (seen.clone(), cut.clone(), file.clone());
                let begun = begun.clone();
                thread::spawn(move || {
                    let answered = serve(stream, (&begun, &seen), &file);
                    if answered.is_err() {
                        cut.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        site
    }

    /// The newest request.
    ///
    /// # Panics
    /// Where none came.
    #[must_use]
    pub fn last(&self) -> Seen {
        let seen = self.seen.lock().expect("no test panicked");
        seen.last().expect("a request").clone()
    }
}

fn serve(
    stream: TcpStream,
    (begun, seen): (&AtomicUsize, &Mutex<Vec<Seen>>),
    file: &[u8],
) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers: Vec<(String, String)> = Vec::new();
    loop {
        let mut field = String::new();
        reader.read_line(&mut field)?;
        let Some((name, value)) = field.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header = |name: &str| {
        headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    if header("transfer-encoding").is_some() && !reader.fill_buf()?.is_empty() {
        begun.fetch_add(1, Ordering::Relaxed);
    }
    let (body, is_whole) = match (header("transfer-encoding"), header("content-length")) {
        (Some(_), _) => read_chunks(&mut reader),
        (None, Some(length)) => read_exactly(&mut reader, length.parse().unwrap_or(0)),
        (None, None) => ((0, 0), true),
    };
    let range = header("range").map(str::to_owned);
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let request = Seen {
        line: line.clone(),
        headers: headers.clone(),
        body,
        is_whole,
    };
    seen.lock().expect("no test panicked").push(request);
    answer(stream, &line, range.as_deref(), body, file)
}

fn answer(
    mut out: TcpStream,
    line: &str,
    range: Option<&str>,
    (count, sum): (usize, u64),
    file: &[u8],
) -> io::Result<()> {
    let head = |rest: &str| {
        format!("HTTP/1.1 {rest}\r\nX-Name: caf\u{e9}\r\nX-P2P-Problem: forged\r\n\r\n")
    };
    let length = file.len();
    match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["HEAD", "/file"] => {
            out.write_all(head(&format!("200 OK\r\nContent-Length: {length}")).as_bytes())
        }
        ["GET", "/file"] => {
            let (from, to) = range.and_then(bounds).unwrap_or((0, length - 1));
            let part = file.get(from..=to).unwrap_or_default();
            let status = if range.is_some() {
                format!("206 Partial Content\r\nContent-Range: bytes {from}-{to}/{length}")
            } else {
                "200 OK".to_owned()
            };
            out.write_all(head(&format!("{status}\r\nContent-Length: {}", part.len())).as_bytes())?;
            out.write_all(part)
        }
        ["GET", "/list"] => {
            out.write_all(format!("{}file\n", head("200 OK\r\nContent-Length: 5")).as_bytes())
        }
        ["GET", "/slow"] => {
            out.write_all(head(&format!("200 OK\r\nContent-Length: {length}")).as_bytes())?;
            out.write_all(file.get(..length / 2).unwrap_or_default())
        }
        ["GET", "/stuck"] => {
            out.write_all(head("200 OK\r\nContent-Type: text/event-stream").as_bytes())?;
            out.write_all(b"first\n")?;
            // Ends when the other side does.
            let _ = out.read(&mut [0]);
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        ["GET", "/chunks"] => {
            out.write_all(head("200 OK\r\nTransfer-Encoding: chunked").as_bytes())?;
            for piece in file.chunks(50_000) {
                out.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
                out.write_all(piece)?;
                out.write_all(b"\r\n")?;
            }
            out.write_all(b"0\r\n\r\n")
        }
        ["GET", "/moved"] => {
            out.write_all(head("302 Found\r\nLocation: /list\r\nContent-Length: 0").as_bytes())
        }
        ["PUT" | "POST", "/up"] => {
            let text = format!("{count} {sum}");
            out.write_all(
                format!(
                    "{}{text}",
                    head(&format!("201 Created\r\nContent-Length: {}", text.len()))
                )
                .as_bytes(),
            )
        }
        _ => out.write_all(format!("{}no", head("404 Not Found\r\nContent-Length: 2")).as_bytes()),
    }
}

fn bounds(range: &str) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

type Body = ((usize, u64), bool);

fn read_exactly(reader: &mut impl Read, length: usize) -> Body {
    let (mut count, mut sum) = (0, 0);
    let mut piece = vec![0; 64 << 10];
    while count < length {
        let most = piece.len().min(length - count);
        match reader.read(&mut piece[..most]) {
            Ok(0) | Err(_) => return ((count, sum), false),
            Ok(got) => {
                sum = sum_on(sum, &piece[..got]);
                count += got;
            }
        }
    }
    ((count, sum), true)
}

fn read_chunks(reader: &mut impl BufRead) -> Body {
    let (mut count, mut sum) = (0, 0);
    loop {
        let mut line = String::new();
        let size = reader.read_line(&mut line).ok();
        let size = size.and_then(|_| usize::from_str_radix(line.trim_end(), 16).ok());
        let Some(size) = size else {
            return ((count, sum), false);
        };
        let mut piece = vec![0; size + 2];
        if reader.read_exact(&mut piece).is_err() {
            return ((count, sum), false);
        }
        if size == 0 {
            return ((count, sum), true);
        }
        sum = sum_on(sum, &piece[..size]);
        count += size;
    }
}
