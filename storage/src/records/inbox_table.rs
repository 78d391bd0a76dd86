//! The table of messages in the inbox.

use p2p_core::api::{Channel, Label, ServiceName};
use p2p_core::id::NodeId;
use rusqlite::{Connection, Row, Transaction, params};

use super::database::stored;
use super::{Book, Change, KeptMessage};

/// What makes it.
pub(super) const SCHEMA: &str = "
CREATE TABLE message (
    number INTEGER PRIMARY KEY,
    peer BLOB NOT NULL CHECK (length(peer) = 32),
    stranger INTEGER NOT NULL,
    claimed TEXT,
    channel INTEGER,
    service TEXT,
    flags INTEGER NOT NULL,
    received INTEGER NOT NULL,
    data BLOB NOT NULL,
    CHECK ((channel IS NULL) <> (service IS NULL))
) STRICT;
";

/// Reads all of it into the book.
pub(super) fn read(from: &Connection, book: &mut Book) -> rusqlite::Result<()> {
    let mut statement = from.prepare(
        "SELECT number, peer, stranger, claimed, channel, service, flags, received, data FROM message",
    )?;
    for message in statement.query_map([], message)? {
        book.apply(Change::Message(message?));
    }
    Ok(())
}

/// Adds one.
pub(super) fn write(to: &Transaction<'_>, message: &KeptMessage) -> rusqlite::Result<()> {
    let channel = &message.label.channel;
    to.prepare_cached(
        "INSERT INTO message (number, peer, stranger, claimed, channel, service, flags, received, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        stored(message.number),
        message.peer.as_bytes(),
        message.is_stranger,
        message.claimed_name,
        channel.number(),
        channel.service().map(ServiceName::as_str),
        message.label.flags,
        stored(message.received_unix_ms),
        &message.data[..],
    ])
    .map(drop)
}

fn message(row: &Row<'_>) -> rusqlite::Result<KeptMessage> {
    let service: Option<String> = row.get(5)?;
    let channel = match service.map(|name| ServiceName::new(&name)).transpose() {
        Ok(Some(name)) => Channel::Service(name),
        Ok(None) => Channel::Number(row.get(4)?),
        Err(_) => return Err(rusqlite::Error::InvalidColumnName("service".to_owned())),
    };
    let flags = row.get(6)?;
    Ok(KeptMessage {
        number: row.get::<_, i64>(0)?.unsigned_abs(),
        peer: NodeId::from_bytes(row.get(1)?),
        is_stranger: row.get(2)?,
        claimed_name: row.get(3)?,
        label: Label { channel, flags },
        received_unix_ms: row.get::<_, i64>(7)?.unsigned_abs(),
        data: row.get::<_, Vec<u8>>(8)?.into(),
    })
}
