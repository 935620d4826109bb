//! A PostgreSQL that pods share: journal, tables, and who owns what.
//!
//! Its statements are checked by the suites, which run them all against a real PostgreSQL, and not by the compiler:
//! `sqlx::query!` checks the queries of one database in one build, and that one is SQLite.

mod fence;
mod journal;
mod notifications;
mod open;
mod pooled_connection;
mod registry;
mod tables;

pub(crate) use journal::JournalLocation;
pub use journal::PostgresJournal;
pub use open::{Shared, migrate, open};
pub use registry::PostgresRegistry;
pub use tables::PostgresStore;
