//! Invitations and introducers in the database.

use core::net::SocketAddr;

use p2p_core::api::IntroducerAddress;
use p2p_core::id::NodeId;
use rusqlite::{Connection, Transaction, params};

use super::database::stored;
use super::{Book, Change, Invite, InviteId, Join, KeptIntroducer};

/// Addresses are separated by spaces.
pub(super) const SCHEMA: &str = "
CREATE TABLE invite (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    key BLOB NOT NULL CHECK (length(key) = 32),
    uses INTEGER NOT NULL,
    petname TEXT,
    made INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE TABLE invite_use (
    invite BLOB NOT NULL REFERENCES invite (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    peer BLOB NOT NULL CHECK (length(peer) = 32),
    PRIMARY KEY (invite, place)
) WITHOUT ROWID, STRICT;
CREATE TABLE joining (
    peer BLOB PRIMARY KEY CHECK (length(peer) = 32),
    invite BLOB NOT NULL CHECK (length(invite) = 16),
    key BLOB NOT NULL CHECK (length(key) = 32),
    addresses TEXT NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE TABLE introducer (
    id BLOB PRIMARY KEY CHECK (length(id) = 32),
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    since INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
";

/// Reads all of it.
pub(super) fn read(from: &Connection, book: &mut Book) -> rusqlite::Result<()> {
    let sql = "SELECT id, key, uses, petname, made, expires FROM invite";
    let mut statement = from.prepare(sql)?;
    let invites = statement.query_map([], |row| {
        Ok(Invite {
            id: row.get(0)?,
            key: row.get(1)?,
            uses: row.get(2)?,
            petname: row.get(3)?,
            made_unix_ms: row.get::<_, i64>(4)?.unsigned_abs(),
            expires_unix_ms: row.get::<_, i64>(5)?.unsigned_abs(),
            taken_by: Vec::new(),
        })
    })?;
    for invite in invites {
        let mut invite = invite?;
        invite.taken_by = taken_by(from, &invite.id)?;
        book.apply(Change::Invite(invite));
    }
    let sql = "SELECT peer, invite, key, addresses, expires FROM joining";
    let mut statement = from.prepare(sql)?;
    let joins = statement.query_map([], |row| {
        let addresses: String = row.get(3)?;
        Ok(Join {
            peer: NodeId::from_bytes(row.get(0)?),
            id: row.get(1)?,
            key: row.get(2)?,
            addresses: addresses
                .split(' ')
                .filter_map(|address| address.parse::<SocketAddr>().ok())
                .collect(),
            expires_unix_ms: row.get::<_, i64>(4)?.unsigned_abs(),
        })
    })?;
    for join in joins {
        book.apply(Change::Join(join?));
    }
    let sql = "SELECT id, host, port, since FROM introducer";
    let mut statement = from.prepare(sql)?;
    let introducers = statement.query_map([], |row| {
        Ok(KeptIntroducer {
            address: IntroducerAddress {
                id: NodeId::from_bytes(row.get(0)?),
                host: row.get(1)?,
                port: row.get(2)?,
            },
            since_unix_ms: row.get::<_, i64>(3)?.unsigned_abs(),
        })
    })?;
    for introducer in introducers {
        book.apply(Change::Introducer(introducer?));
    }
    Ok(())
}

fn taken_by(from: &Connection, invite: &InviteId) -> rusqlite::Result<Vec<NodeId>> {
    let sql = "SELECT peer FROM invite_use WHERE invite = ?1 ORDER BY place";
    let mut statement = from.prepare_cached(sql)?;
    let peers = statement.query_map([invite], |row| Ok(NodeId::from_bytes(row.get(0)?)))?;
    peers.collect()
}

/// Writes an invitation with all who have taken it up.
pub(super) fn write_invite(to: &Transaction<'_>, invite: &Invite) -> rusqlite::Result<()> {
    remove_invite(to, &invite.id)?;
    to.prepare_cached(
        "INSERT INTO invite (id, key, uses, petname, made, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        invite.id,
        invite.key,
        invite.uses,
        invite.petname,
        stored(invite.made_unix_ms),
        stored(invite.expires_unix_ms),
    ])?;
    let sql = "INSERT INTO invite_use (invite, place, peer) VALUES (?1, ?2, ?3)";
    let mut statement = to.prepare_cached(sql)?;
    for (place, peer) in (0i64..).zip(&invite.taken_by) {
        statement.execute(params![invite.id, place, peer.as_bytes()])?;
    }
    Ok(())
}

/// Takes an invitation out.
pub(super) fn remove_invite(to: &Transaction<'_>, id: &InviteId) -> rusqlite::Result<()> {
    to.prepare_cached("DELETE FROM invite_use WHERE invite = ?1")?
        .execute([id])?;
    to.prepare_cached("DELETE FROM invite WHERE id = ?1")?
        .execute([id])
        .map(drop)
}

/// Writes an invitation of somebody else's.
pub(super) fn write_join(to: &Transaction<'_>, join: &Join) -> rusqlite::Result<()> {
    let addresses: Vec<String> = join.addresses.iter().map(ToString::to_string).collect();
    to.prepare_cached(
        "INSERT OR REPLACE INTO joining (peer, invite, key, addresses, expires)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        join.peer.as_bytes(),
        join.id,
        join.key,
        addresses.join(" "),
        stored(join.expires_unix_ms),
    ])
    .map(drop)
}

/// Writes an introducer.
pub(super) fn write_introducer(
    to: &Transaction<'_>,
    kept: &KeptIntroducer,
) -> rusqlite::Result<()> {
    let IntroducerAddress { id, host, port } = &kept.address;
    to.prepare_cached(
        "INSERT OR REPLACE INTO introducer (id, host, port, since) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![
        id.as_bytes(),
        host,
        port,
        stored(kept.since_unix_ms)
    ])
    .map(drop)
}
