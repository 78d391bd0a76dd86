//! Records on disk: one SQLite database, written ahead and synced before anything counts as kept.

use std::io;
use std::path::Path;

use p2p_core::id::NodeId;
use p2p_core::name::{fold_name, skeleton};
use rusqlite::{Connection, Row, Transaction, params};

use super::{Binding, Book, Change, Contact, Records, Trust};
use super::{inbox_table, kept_tables, meeting_tables};
use crate::error::{StateError, StateErrorKind};
use crate::files;
use crate::transfers::{SCHEMA as TRANSFERS, TransferTable};

/// File of the database.
const FILE: &str = "node.db";
/// What makes each format of the one before, from nothing on; the last is what this version writes. One that has been
/// released is never changed: what is new is appended. Times are ms since 1970, ids 32 bytes.
const STEPS: &[&str] = &[
    PEOPLE,
    meeting_tables::SCHEMA,
    inbox_table::SCHEMA,
    kept_tables::SCHEMA,
    TRANSFERS,
];
/// Contacts, and whose names were found to be.
const PEOPLE: &str = "
CREATE TABLE contact (
    id BLOB PRIMARY KEY CHECK (length(id) = 32),
    petname TEXT,
    skeleton TEXT UNIQUE,
    trust INTEGER NOT NULL,
    how TEXT NOT NULL,
    since INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    note TEXT
) WITHOUT ROWID, STRICT;
CREATE TABLE binding (
    introducer BLOB NOT NULL CHECK (length(introducer) = 32),
    folded TEXT NOT NULL,
    name TEXT NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 32),
    since INTEGER NOT NULL,
    refused_id BLOB,
    refused_at INTEGER,
    PRIMARY KEY (introducer, folded)
) WITHOUT ROWID, STRICT;
CREATE INDEX binding_id ON binding (id);
";
/// The database of a state directory.
pub struct Database {
    pub(super) connection: Connection,
}

impl Database {
    /// Opens it, and makes it where it is missing.
    ///
    /// # Errors
    /// Where it is damaged or of a newer version (it is left as it is), or the system refuses.
    pub(crate) fn open(folder: &Path) -> Result<Self, StateError> {
        let path = folder.join(FILE);
        // What SQLite puts beside it has the same mode.
        files::create_private(&path).map_err(|error| StateError::system("make", &path, &error))?;
        let found = || -> rusqlite::Result<(Connection, i64)> {
            let connection = Connection::open(&path)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            // What is done with is not to be found in the file any more.
            connection.pragma_update(None, "secure_delete", "ON")?;
            let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Ok((connection, version))
        };
        let (mut connection, version) = found().map_err(|error| refuse(&path, &error))?;
        let steps = usize::try_from(version)
            .ok()
            .and_then(|version| STEPS.get(version..));
        let Some(steps) = steps else {
            let known = STEPS.len();
            let why = format!("its format {version} is newer than this program's {known}");
            return Err(StateError::new(
                StateErrorKind::NewerVersion,
                format!("cannot use {}", path.display()),
                why,
                "run the later version of the program that wrote it",
            ));
        };
        migrate(&mut connection, steps).map_err(|error| refuse(&path, &error))?;
        Ok(Self { connection })
    }

    /// The table of transfers, on a connection of its own.
    pub(crate) fn transfers(&self, folder: &Path) -> Result<TransferTable, StateError> {
        let path = folder.join(FILE);
        TransferTable::open(&path).map_err(|error| refuse(&path, &error))
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// Where it is damaged: names and blocks are never guessed.
    pub(crate) fn read(&self, folder: &Path) -> Result<Book, StateError> {
        self.book()
            .map_err(|error| refuse(&folder.join(FILE), &error))
    }

    fn book(&self) -> rusqlite::Result<Book> {
        let mut book = Book::default();
        let sql = "SELECT id, petname, trust, how, since, blocked, note FROM contact";
        let mut statement = self.connection.prepare(sql)?;
        for contact in statement.query_map([], contact)? {
            book.apply(Change::Contact(contact?));
        }
        let sql = "SELECT introducer, name, id, since, refused_id, refused_at FROM binding";
        let mut statement = self.connection.prepare(sql)?;
        for binding in statement.query_map([], binding)? {
            book.apply(Change::Binding(binding?));
        }
        meeting_tables::read(&self.connection, &mut book)?;
        inbox_table::read(&self.connection, &mut book)?;
        kept_tables::read(&self.connection, &mut book)?;
        Ok(book)
    }

    fn write_all(&mut self, changes: &[Change]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for change in changes {
            write(&transaction, change)?;
        }
        transaction.commit()
    }
}

impl Records for Database {
    fn write(&mut self, changes: &[Change]) -> io::Result<()> {
        self.write_all(changes).map_err(io::Error::other)
    }
}

/// Takes the missing steps, all or none.
fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    let version = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}

fn write(to: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Contact(contact) => to.prepare_cached(
            "INSERT INTO contact (id, petname, skeleton, trust, how, since, blocked, note)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (id) DO UPDATE SET petname = ?2, skeleton = ?3, trust = ?4, how = ?5,
             since = ?6, blocked = ?7, note = ?8",
        )?
        .execute(params![
            contact.id.as_bytes(),
            contact.petname,
            contact.petname.as_deref().map(skeleton),
            contact.trust as i64,
            contact.how,
            stored(contact.since_unix_ms),
            contact.is_blocked,
            contact.note,
        ])
        .map(drop),
        Change::Forget(id) => {
            to.prepare_cached("DELETE FROM contact WHERE id = ?1")?
                .execute([id.as_bytes()])?;
            to.prepare_cached("DELETE FROM binding WHERE id = ?1")?
                .execute([id.as_bytes()])
                .map(drop)
        }
        Change::Binding(binding) => to.prepare_cached(
            "INSERT OR REPLACE INTO binding (introducer, folded, name, id, since, refused_id, refused_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            binding.introducer.as_bytes(),
            fold_name(&binding.name),
            binding.name,
            binding.id.as_bytes(),
            stored(binding.since_unix_ms),
            binding.refused.map(|(id, _)| *id.as_bytes()),
            binding.refused.map(|(_, at)| stored(at)),
        ])
        .map(drop),
        Change::Invite(invite) => meeting_tables::write_invite(to, invite),
        Change::Revoke(id) => meeting_tables::remove_invite(to, id),
        Change::Join(join) => meeting_tables::write_join(to, join),
        Change::Joined(peer) => to
            .prepare_cached("DELETE FROM joining WHERE peer = ?1")?
            .execute([peer.as_bytes()])
            .map(drop),
        Change::Keep(kept) => kept_tables::write(to, kept),
        Change::Drop(kind, name) => kept_tables::remove(to, *kind, name),
        Change::Introducer(kept) => meeting_tables::write_introducer(to, kept),
        Change::Leave(id) => to
            .prepare_cached("DELETE FROM introducer WHERE id = ?1")?
            .execute([id.as_bytes()])
            .map(drop),
        Change::Message(message) => inbox_table::write(to, message),
        Change::MessageDone(number) => to
            .prepare_cached("DELETE FROM message WHERE number = ?1")?
            .execute([stored(*number)])
            .map(drop),
    }
}

fn contact(row: &Row<'_>) -> rusqlite::Result<Contact> {
    let trust = usize::try_from(row.get::<_, i64>(2)?).unwrap_or(usize::MAX);
    Ok(Contact {
        id: NodeId::from_bytes(row.get(0)?),
        petname: row.get(1)?,
        // A later version may know more; to this one it is a stranger.
        trust: Trust::ALL.get(trust).copied().unwrap_or_default(),
        how: row.get(3)?,
        since_unix_ms: row.get::<_, i64>(4)?.unsigned_abs(),
        is_blocked: row.get(5)?,
        note: row.get(6)?,
    })
}

fn binding(row: &Row<'_>) -> rusqlite::Result<Binding> {
    let refused: Option<[u8; 32]> = row.get(4)?;
    let refused_at: Option<i64> = row.get(5)?;
    Ok(Binding {
        introducer: NodeId::from_bytes(row.get(0)?),
        name: row.get(1)?,
        id: NodeId::from_bytes(row.get(2)?),
        since_unix_ms: row.get::<_, i64>(3)?.unsigned_abs(),
        refused: refused
            .map(NodeId::from_bytes)
            .zip(refused_at.map(i64::unsigned_abs)),
    })
}

pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn refuse(path: &Path, error: &rusqlite::Error) -> StateError {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let code = error.sqlite_error_code();
    if matches!(code, Some(DatabaseCorrupt | NotADatabase)) {
        return StateError::new(
            StateErrorKind::Broken,
            format!("cannot use {}", path.display()),
            error.to_string(),
            "restore it from a copy; only if contacts, blocks and what they are called may be given \
             up, move the file away",
        );
    }
    StateError::system("open", path, &io::Error::other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_database_of_each_earlier_format_goes_on_with_what_it_holds() {
        for version in 1..STEPS.len() {
            let name = format!("p2p-format-{version}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir(&folder).expect("a folder");
            let mut old = Connection::open(folder.join(FILE)).expect("a database");
            let steps = STEPS.get(..version).expect("fewer");
            let transaction = old.transaction().expect("a transaction");
            for step in steps {
                transaction.execute_batch(step).expect("a step");
            }
            let sql = "INSERT INTO contact VALUES (?1, 'ada', 'ada', 2, 'words', 5, 0, NULL)";
            transaction.execute(sql, [[7u8; 32]]).expect("a contact");
            let number = i64::try_from(version).expect("small");
            transaction
                .pragma_update(None, "user_version", number)
                .expect("a version");
            transaction.commit().expect("written");
            drop(old);
            let opened = Database::open(&folder).expect("taken over");
            let book = opened.read(&folder).expect("whole");
            let contact = book.contact(&NodeId::from_bytes([7; 32]));
            assert_eq!(contact.and_then(|c| c.petname.as_deref()), Some("ada"));
            drop(opened);
            // Nothing is done twice.
            drop(Database::open(&folder).expect("opened again"));
            fs::remove_dir_all(&folder).expect("our own folder");
        }
    }
}
