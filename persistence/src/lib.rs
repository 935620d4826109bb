//! Everything durable: the journal and the tables behind the engine's traits.
//!
//! The embedded default is SQLite ([`sqlite`]): one file for the journal, one for the tables, so that neither waits for
//! the other. A fleet's pods share a PostgreSQL ([`postgres`]), which also knows who owns what. What the two keep alike is in
//! `rows`. What lies on disk in binary has a versioned form of its own (`smartcart_wire`).
//!
//! Architecture Invariant: only this crate knows SQL, and only [`error`] knows databases' error codes.
//!
//! # To add a table
//! 1. Say in `engine/src/store.rs` what the shop asks of it: a method for each question, no rows and no columns.
//! 2. Add a migration, `migrations/sqlite/shop/NNNN_noun.sql`: `STRICT`, `NOT NULL`, the invariants as `CHECK`s.
//!    A migration that was released never changes.
//! 3. Write its statements in `src/sqlite/tables/noun.rs` as functions over a connection, with `sqlx::query!` where the
//!    text is constant, and call them from `tables/mod.rs`. A change begins with `BEGIN IMMEDIATE`, looks up its
//!    idempotency key (`keys::seen`) and remembers it (`keys::remember`) before it commits. Constraints that a client can
//!    meet are met by `ON CONFLICT` and become a `Conflict`; the others stay a second line of defence.
//! 4. Refresh `.sqlx` (`make sqlx-prepare`); without a database the build checks the queries against it.
//! 5. The same for PostgreSQL: `migrations/postgres/NNNN_noun.sql`, which the version before must be able to live with and
//!    which alters one table only (pods are flushing meanwhile, and lock two in another order), and
//!    `src/postgres/tables/noun.rs`, where a row that another pod may change is locked before it is looked at.
//! 6. Say what it does in `tests/it/store_suite/noun.rs`, which runs on both, and what must never be in `rows/audit.rs`.
//!
//! # To add a database
//! Another folder beside `sqlite/` and `postgres/`, with migrations beside theirs, and a `Backend` in
//! `tests/it/backend.rs`: the suites `tests/it/{journal_suite,store_suite}` are the same for all.
//!

mod columns;
pub mod error;
pub mod failover;
pub mod postgres;
pub mod redis;
mod rows;
pub mod sqlite;
