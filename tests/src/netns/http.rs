//! A blocking HTTP/1.1 client over any byte stream: one request for each connection, bodies read as they come.

use std::io::{self, BufRead, BufReader, Error, Read, Write};

/// One request.
pub struct Request<'a> {
    /// `GET`, `POST`…
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// More headers than host, length and connection.
    pub headers: &'a [(&'a str, &'a str)],
    /// The whole body.
    pub body: &'a [u8],
}

/// Status and headers of a response.
#[derive(Clone, Debug)]
pub struct Head {
    /// Status code.
    pub status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    /// First value of a header, whose name is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

enum Length {
    Rest,
    Known(u64),
    Chunked,
}

/// Body of a response; reads its bytes in order to the end.
pub struct Body<S> {
    stream: BufReader<S>,
    length: Length,
    /// Bytes left of the chunk that is being read.
    chunk_bytes: u64,
}

/// Sends a request and reads the head of the response.
///
/// # Errors
/// What the stream says, or that the response is not HTTP.
pub fn send<S: Read + Write>(
    mut stream: S,
    host: &str,
    request: &Request<'_>,
) -> io::Result<(Head, Body<S>)> {
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n",
        request.method,
        request.target,
        request.body.len()
    );
    for (name, value) in request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    // A server may refuse before it has read all; its answer tells more than the broken pipe does.
    let written = stream.write_all(request.body).and_then(|()| stream.flush());
    let mut stream = BufReader::new(stream);
    match (read_head(&mut stream), written) {
        (Ok(head), _) => {
            let length = length(request.method, &head)?;
            Ok((
                head,
                Body {
                    stream,
                    length,
                    chunk_bytes: 0,
                },
            ))
        }
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

fn read_head(stream: &mut impl BufRead) -> io::Result<Head> {
    let first = read_line(stream)?;
    let status = first.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| Error::other(format!("not HTTP: {first:?}")))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Head { status, headers })
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.take(64 << 10).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn length(method: &str, head: &Head) -> io::Result<Length> {
    if method == "HEAD" || matches!(head.status, 204 | 304) {
        return Ok(Length::Known(0));
    }
    if head
        .header("transfer-encoding")
        .is_some_and(|v| v.eq_ignore_ascii_case("chunked"))
    {
        return Ok(Length::Chunked);
    }
    match head.header("content-length") {
        Some(text) => text.parse().map(Length::Known).map_err(Error::other),
        None => Ok(Length::Rest),
    }
}

impl<S: Read> Body<S> {
    /// Reads the size of the next chunk; false at the last one.
    fn next_chunk(&mut self) -> io::Result<bool> {
        let line = read_line(&mut self.stream)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        self.chunk_bytes = u64::from_str_radix(digits, 16).map_err(Error::other)?;
        if self.chunk_bytes == 0 {
            while !read_line(&mut self.stream)?.is_empty() {}
            self.length = Length::Known(0);
        }
        Ok(self.chunk_bytes > 0)
    }

    fn read_some(&mut self, buffer: &mut [u8], most: u64) -> io::Result<u64> {
        let length = self.stream.by_ref().take(most).read(buffer)?;
        if length == 0 && !buffer.is_empty() {
            // A body that ends early must not look like one that is complete.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(length as u64)
    }
}

impl<S: Read> Read for Body<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match self.length {
            Length::Rest => return self.stream.read(buffer),
            Length::Known(0) => 0,
            Length::Known(left) => {
                let length = self.read_some(buffer, left)?;
                self.length = Length::Known(left - length);
                length
            }
            Length::Chunked => {
                if self.chunk_bytes == 0 && !self.next_chunk()? {
                    return Ok(0);
                }
                let length = self.read_some(buffer, self.chunk_bytes)?;
                self.chunk_bytes -= length;
                if self.chunk_bytes == 0 {
                    read_line(&mut self.stream)?;
                }
                length
            }
        };
        usize::try_from(length).map_err(Error::other)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    struct Canned(Cursor<&'static [u8]>, Vec<u8>);

    impl Read for Canned {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            // One byte at a time: no boundary falls where it is convenient.
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    impl Write for Canned {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn ask(answer: &'static [u8]) -> io::Result<(u16, Vec<u8>)> {
        let request = Request {
            method: "GET",
            target: "/",
            headers: &[],
            body: b"",
        };
        let canned = Canned(Cursor::new(answer), Vec::new());
        let (head, mut body) = send(canned, "h", &request)?;
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes)?;
        Ok((head.status, bytes))
    }

    #[test]
    fn bodies_of_all_three_kinds_are_read_whole() {
        let known = ask(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd");
        assert_eq!(known.expect("a response"), (200, b"abc".to_vec()));
        let chunked =
            b"HTTP/1.1 201 C\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x\r\nc\r\n0\r\n\r\n";
        assert_eq!(ask(chunked).expect("a response"), (201, b"abc".to_vec()));
        let rest = ask(b"HTTP/1.1 404 N\r\n\r\nabc");
        assert_eq!(rest.expect("a response"), (404, b"abc".to_vec()));
        let nothing = ask(b"HTTP/1.1 204 N\r\n\r\n");
        assert_eq!(nothing.expect("a response"), (204, Vec::new()));
    }

    #[test]
    fn a_body_cut_short_is_an_error() {
        assert!(ask(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab").is_err());
        assert!(ask(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nab").is_err());
        assert!(ask(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n").is_err());
        assert!(ask(b"").is_err());
    }
}
