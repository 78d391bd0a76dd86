//! An application as it uses a node: plain HTTP to loopback, here with nothing but the standard library. Connects to a
//! peer and sends it a message; says what became of it.
//!
//! `http_client HTTP_ADDRESS TOKEN PEER TEXT`, where the peer is a name, an id, or `ID@IP:PORT`.
#![expect(clippy::disallowed_types)] // a client has a socket, the surface has none

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

struct Node {
    address: String,
    token: String,
}

impl Node {
    /// Sends one request and gives the JSON of the answer, or what the node says is wrong.
    fn post(&self, target: &str, more: &str, body: &str) -> Result<Value, Box<dyn Error>> {
        let mut connection = TcpStream::connect(&self.address)?;
        write!(
            connection,
            "POST {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\
             {more}Connection: close\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        )?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        let json: Value = serde_json::from_str(body)?;
        if status.starts_with('2') {
            return Ok(json);
        }
        // Every error is a document of RFC 9457 with a stable code (docs/errors.md).
        Err(format!("{status} {}: {}", json["code"], json["detail"]).into())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, token, peer, text] = arguments.as_slice() else {
        return Err("usage: http_client HTTP_ADDRESS TOKEN PEER TEXT".into());
    };
    let (address, token) = (address.clone(), token.clone());
    let node = Node { address, token };
    let json = "Content-Type: application/json\r\n";
    let connected = node.post(&format!("/v1/peers/{peer}/connect"), json, "{}")?;
    println!("connected: {}", connected["path"]["kind"]);
    let id = connected["peer"].as_str().ok_or("no id")?;
    // Waits up to ten seconds for the peer's node to hold the message whole.
    let wait = "Content-Type: application/octet-stream\r\nPrefer: wait=10\r\n";
    let sent = node.post(&format!("/v1/peers/{id}/messages"), wait, text)?;
    println!("message: {}", sent["state"]);
    Ok(())
}
