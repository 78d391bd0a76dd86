//! Records in memory, for nodes that keep nothing and for tests, which make writes fail.

use std::io;

use super::{Book, Change, Records};

/// Keeps changes until it is dropped.
#[derive(Debug, Default)]
pub struct MemoryRecords {
    book: Book,
    /// Writes that still succeed; `None` is no bound.
    writes_left: Option<u64>,
}

impl MemoryRecords {
    /// Fails like a full disk after so many writes.
    #[must_use]
    pub fn full_after(writes: u64) -> Self {
        Self {
            book: Book::default(),
            writes_left: Some(writes),
        }
    }

    /// What was written.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }
}

impl Records for MemoryRecords {
    fn write(&mut self, changes: &[Change]) -> io::Result<()> {
        if let Some(left) = &mut self.writes_left {
            *left = left
                .checked_sub(1)
                .ok_or(io::Error::from(io::ErrorKind::StorageFull))?;
        }
        for change in changes {
            self.book.apply(change.clone());
        }
        Ok(())
    }
}
