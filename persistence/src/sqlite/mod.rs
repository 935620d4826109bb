//! The embedded default: two SQLite files, one process, nothing else to install.

mod bulk;
mod journal;
mod open;
mod tables;

pub use journal::SqliteJournal;
pub use open::{Embedded, migrate, open};
pub use tables::SqliteStore;
