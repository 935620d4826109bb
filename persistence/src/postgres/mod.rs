//! A PostgreSQL that pods share: journal, tables, and who owns what.
//!
//! Its statements are checked by the suites, which run them all against a real PostgreSQL, and not by the compiler:
//! `sqlx::query!` checks the queries of one database in one build, and that one is SQLite.

mod journal;
mod lease;
mod news;
mod open;
mod registry;
mod tables;

pub use journal::PostgresJournal;
pub(crate) use journal::{Place, Unsaid};
pub use open::{Shared, migrate, open};
pub use registry::PostgresRegistry;
pub use tables::PostgresStore;
