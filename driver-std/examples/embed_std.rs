//! The small driver inside a program: a whole node on threads of its own, asked over HTTP how it is.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use p2p_driver_std::{NodeOptions, start};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("p2p-example-{}", std::process::id()));
    let any = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let node = start(&NodeOptions {
        state_dir: Some(folder.clone()),
        listen: any,
        http: any,
        name: Some("ada".to_owned()),
        ..NodeOptions::default()
    })?;
    println!("node {} listens on {:?}", node.facts.id, node.facts.udp);

    let http = *node.facts.http.first().ok_or("no HTTP address")?;
    let token = std::fs::read_to_string(&node.facts.token_path)?;
    let mut connection = TcpStream::connect(http)?;
    write!(
        connection,
        "GET /v1/node HTTP/1.1\r\nHost: {http}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        token.trim()
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    println!("{}", answer.lines().next().unwrap_or_default());
    println!(
        "says its own id: {}",
        answer.contains(&node.facts.id.to_string())
    );

    node.shutdown();
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
