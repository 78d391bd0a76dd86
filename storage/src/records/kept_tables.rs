//! What the owner has set up, in the database.

use rusqlite::{Connection, Transaction, params};

use super::{Book, Change, Kept, KeptKind};

pub(super) const SCHEMA: &str = "
CREATE TABLE kept (
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID, STRICT;
";

/// Reads all of it. Kinds of a later version are left where they are.
pub(super) fn read(from: &Connection, book: &mut Book) -> rusqlite::Result<()> {
    let mut statement = from.prepare("SELECT kind, name, document FROM kept")?;
    let rows = statement.query_map([], |row| {
        let kind = [KeptKind::Service, KeptKind::Forward]
            .into_iter()
            .find(|kind| row.get(0) == Ok(number(*kind)));
        let (name, document) = (row.get(1)?, row.get(2)?);
        Ok(kind.map(|kind| Kept {
            kind,
            name,
            document,
        }))
    })?;
    for kept in rows {
        if let Some(kept) = kept? {
            book.apply(Change::Keep(kept));
        }
    }
    Ok(())
}

/// Writes one.
pub(super) fn write(to: &Transaction<'_>, kept: &Kept) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO kept (kind, name, document) VALUES (?1, ?2, ?3)";
    to.prepare_cached(sql)?
        .execute(params![number(kept.kind), kept.name, kept.document])
        .map(drop)
}

/// Takes one out.
pub(super) fn remove(to: &Transaction<'_>, kind: KeptKind, name: &str) -> rusqlite::Result<()> {
    to.prepare_cached("DELETE FROM kept WHERE kind = ?1 AND name = ?2")?
        .execute(params![number(kind), name])
        .map(drop)
}

const fn number(kind: KeptKind) -> i64 {
    match kind {
        KeptKind::Service => 1,
        KeptKind::Forward => 2,
    }
}
