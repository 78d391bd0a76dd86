//! Transfers in the database, on a connection of its own, which all their threads share.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, params};

use super::row::Row;
use super::words::TransferId;

/// A row for each; `facts` is JSON, which changes as a whole.
pub(crate) const SCHEMA: &str = "
CREATE TABLE transfer (
    id BLOB PRIMARY KEY CHECK (length(id) = 8),
    facts TEXT NOT NULL
) WITHOUT ROWID, STRICT;
";

/// The table of transfers.
#[derive(Clone)]
pub struct TransferTable(Arc<Mutex<Connection>>);

impl TransferTable {
    /// Opens another connection to a database that has the table.
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(Self(Arc::new(Mutex::new(connection))))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a row; when it returns, it outlives a crash of the program and of the machine.
    ///
    /// # Errors
    /// Where it was not written.
    pub fn keep(&self, row: &Row) -> io::Result<()> {
        let facts = serde_json::to_string(row)?;
        let sql = "INSERT OR REPLACE INTO transfer (id, facts) VALUES (?1, ?2)";
        let connection = self.connection();
        let mut statement = connection.prepare_cached(sql).map_err(io::Error::other)?;
        let kept = statement.execute(params![row.id.0.to_be_bytes(), facts]);
        kept.map(drop).map_err(io::Error::other)
    }

    /// Forgets a row.
    ///
    /// # Errors
    /// Where it stays.
    pub fn forget(&self, id: TransferId) -> io::Result<()> {
        let connection = self.connection();
        let sql = "DELETE FROM transfer WHERE id = ?1";
        let forgotten = connection.execute(sql, [id.0.to_be_bytes()]);
        forgotten.map(drop).map_err(io::Error::other)
    }

    /// All rows.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn rows(&self) -> io::Result<Vec<Row>> {
        let connection = self.connection();
        let read = || -> rusqlite::Result<Vec<([u8; 8], String)>> {
            let mut statement = connection.prepare("SELECT id, facts FROM transfer")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        let mut rows = Vec::new();
        for (id, facts) in read().map_err(io::Error::other)? {
            let row: Row = serde_json::from_str(&facts)?;
            let id = TransferId(u64::from_be_bytes(id));
            rows.push(Row { id, ..row });
        }
        Ok(rows)
    }
}
