//! Everything durable: the journal and the tables behind the engine's traits.
//!
//! Only this crate knows SQL. The embedded default is SQLite ([`sqlite`]): one file for the journal, one for the
//! tables, so that neither waits for the other. Another database is another folder beside `sqlite/`, with its own
//! migrations, under the same conformance suites (`tests/it/{journal_suite,store_suite}.rs`).
//!
//! What lies on disk in binary has a form of its own, apart from the live types: [`record`].

pub mod error;
pub mod record;
pub mod sqlite;
