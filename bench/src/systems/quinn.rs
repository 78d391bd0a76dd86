//! quinn 0.11 with its default transport configuration: tokio, rustls on aws-lc-rs, path MTU discovery on. Each side
//! runs on one thread, as in quinn's own benchmark. A request is one bidirectional stream, a datagram an unreliable
//! one.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::{ClientConfig, Connection, Endpoint, ServerConfig};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use crate::meter::Meter;
use crate::process::{self, Failure};
use crate::sample::{Figures, percentiles};
use crate::usage;
use crate::workload::{
    DATAGRAM_BYTES, IDLE_COUNTED, IDLE_WARM, REQUEST_BYTES, REQUESTS_IN_FLIGHT, Workload,
};

/// Name in the certificate.
const NAME: &str = "bench";
/// Bytes handed to the stream at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Time for the last connections to settle before memory is read.
const SETTLE: Duration = Duration::from_secs(2);

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.enable_all().build()?)
}

/// Serves until the process ends.
pub(super) fn serve(
    workload: Workload,
    meter: Arc<Meter>,
    ready: &dyn Fn(String),
) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let certified = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let certificate = certified.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let config = ServerConfig::with_single_cert(vec![certificate.clone()], key.into())?;
        let endpoint = Endpoint::server(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let hex: String = certificate.iter().map(|b| format!("{b:02x}")).collect();
        ready(format!("{}/{hex}", endpoint.local_addr()?));
        while let Some(incoming) = endpoint.accept().await {
            let meter = Arc::clone(&meter);
            tokio::spawn(async move {
                // A connection that ends, ends what it was measured with: nothing to report.
                if let Ok(connection) = incoming.await {
                    let _ = receive(workload, &connection, &meter).await;
                }
            });
        }
        Ok(())
    })
}

async fn receive(
    workload: Workload,
    connection: &Connection,
    meter: &Arc<Meter>,
) -> Result<(), Failure> {
    match workload {
        Workload::Bulk => {
            let mut stream = connection.accept_uni().await?;
            while let Some(chunk) = stream.read_chunk(usize::MAX, true).await? {
                meter.add(chunk.bytes.len() as u64, 1);
            }
        }
        Workload::Datagrams => loop {
            let datagram = connection.read_datagram().await?;
            meter.add(datagram.len() as u64, 1);
        },
        Workload::Serial | Workload::Requests => loop {
            let (mut send, mut receive) = connection.accept_bi().await?;
            let meter = Arc::clone(meter);
            tokio::spawn(async move {
                if let Ok(body) = receive.read_to_end(REQUEST_BYTES).await {
                    meter.add(body.len() as u64, 1);
                    let _ = send.write_all(&body).await;
                    let _ = send.finish();
                }
            });
        },
        Workload::Idle => {
            connection.closed().await;
        }
    }
    Ok(())
}

/// Drives the workload against the server that `contact` names.
pub(super) fn drive(
    workload: Workload,
    contact: &str,
    duration: Duration,
) -> Result<Figures, Failure> {
    let wrong = || Failure("the contact is not ADDRESS/CERTIFICATE".to_owned());
    let (address, hex) = contact.split_once('/').ok_or_else(wrong)?;
    let address: SocketAddr = address.parse()?;
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let certificate: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate.ok_or_else(wrong)?))?;
    let config = ClientConfig::with_root_certificates(Arc::new(roots))?;
    runtime()?.block_on(async {
        let mut endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        endpoint.set_default_client_config(config);
        if workload == Workload::Idle {
            return idle(&endpoint, address).await;
        }
        let connection = endpoint.connect(address, NAME)?.await?;
        let cpu_s = usage::cpu_seconds();
        let start = Instant::now();
        let figures = match workload {
            Workload::Bulk => bulk(&connection, start + duration).await?,
            Workload::Datagrams => datagrams(&connection, start + duration).await?,
            Workload::Serial => serial(&connection, start + duration).await?,
            _ => requests(&connection, start + duration).await?,
        };
        Ok(figures
            .with("seconds", start.elapsed().as_secs_f64())
            .with("cpu_s", usage::cpu_seconds() - cpu_s))
    })
}

async fn bulk(connection: &Connection, end: Instant) -> Result<Figures, Failure> {
    let chunk = Bytes::from(vec![7; CHUNK_BYTES]);
    let mut stream = connection.open_uni().await?;
    while Instant::now() < end {
        stream.write_chunk(chunk.clone()).await?;
    }
    Ok(Figures::default())
}

async fn datagrams(connection: &Connection, end: Instant) -> Result<Figures, Failure> {
    let body = Bytes::from(vec![7; DATAGRAM_BYTES]);
    let mut sent = 0_u64;
    while !sent.is_multiple_of(64) || Instant::now() < end {
        connection.send_datagram_wait(body.clone()).await?;
        sent += 1;
    }
    Ok(Figures::default().with("sent", sent as f64))
}

async fn request(connection: &Connection) -> Result<(), Failure> {
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(&[7; REQUEST_BYTES]).await?;
    send.finish()?;
    let answer = receive.read_to_end(REQUEST_BYTES).await?;
    if answer.len() == REQUEST_BYTES {
        Ok(())
    } else {
        Err(Failure("a short answer".to_owned()))
    }
}

async fn serial(connection: &Connection, end: Instant) -> Result<Figures, Failure> {
    let mut nanos = Vec::new();
    let mut before = Instant::now();
    while before < end {
        request(connection).await?;
        let after = Instant::now();
        nanos.push((after - before).as_nanos() as u64);
        before = after;
    }
    Ok(percentiles(nanos))
}

async fn requests(connection: &Connection, end: Instant) -> Result<Figures, Failure> {
    let done = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for _ in 0..REQUESTS_IN_FLIGHT {
        let (connection, done) = (connection.clone(), Arc::clone(&done));
        tasks.push(tokio::spawn(async move {
            while Instant::now() < end {
                request(&connection).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), Failure>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(Figures::default().with("count", done.load(Ordering::Relaxed) as f64))
}

async fn idle(endpoint: &Endpoint, address: SocketAddr) -> Result<Figures, Failure> {
    let mut connections = Vec::new();
    for number in 1..=IDLE_WARM + IDLE_COUNTED {
        connections.push(endpoint.connect(address, NAME)?.await?);
        if number == IDLE_WARM || number == IDLE_WARM + IDLE_COUNTED {
            tokio::time::sleep(SETTLE).await;
            process::mark();
        }
    }
    let lost = connections.iter().filter(|c| c.close_reason().is_some());
    match lost.count() {
        0 => Ok(Figures::default().with("connections", connections.len() as f64)),
        lost => Err(Failure(format!("{lost} connections were lost"))),
    }
}
