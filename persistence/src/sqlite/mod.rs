//! The embedded default: two SQLite files, one process, nothing else to install.

mod backup;
mod bulk;
mod files;
mod journal;
mod open;
mod run;
mod tables;

pub use journal::SqliteJournal;
pub use open::{Embedded, MissingChanges, migrate, open};
pub use tables::SqliteStore;
