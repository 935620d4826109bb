//! Everything durable: the journal and the tables behind the engine's traits.
//!
//! The embedded default is SQLite ([`sqlite`]): one file for the journal, one for the tables, so that neither waits for
//! the other. A fleet's pods share a PostgreSQL ([`postgres`]), which also knows who owns what. What the two keep alike is in
//! `rows`, and which statement answers which question in `table_stores`. What lies on disk in binary has a versioned form of its own (`smartcart_wire`).
//!
//! Architecture Invariant: only this crate knows SQL, and only [`error`] knows databases' error codes.
//!
//! # To add a table
//! 1. Say in `engine/src/store/mod.rs` what the shop asks of it: a method for each question, no rows and no columns. The
//!    compiler names both stores that lack it.
//! 2. Add a migration, `migrations/sqlite/shop/NNNN_noun.sql`: `STRICT`, `NOT NULL`, the invariants as `CHECK`s.
//!    A migration that was released never changes.
//! 3. Write its statements in `src/sqlite/tables/noun.rs` as functions over a connection, with `sqlx::query!` where the
//!    text is constant, and call them from `table_stores.rs`. A change begins with `BEGIN IMMEDIATE`, looks up its
//!    idempotency key (`keys::seen`) and remembers it (`keys::remember`) before it commits. Constraints that a client can
//!    meet are met by `ON CONFLICT` and become a `Conflict`; the others stay a second line of defence.
//! 4. Refresh `.sqlx` (`make sqlx-prepare`); without a database the build checks the queries against it.
//! 5. The same for PostgreSQL: `migrations/postgres/NNNN_noun.sql`, which the version before must be able to live with and
//!    which alters one table only (pods are flushing meanwhile, and lock two in another order), and
//!    `src/postgres/tables/noun.rs`, where a row that another pod may change is locked before it is looked at.
//! 6. Say what it does in the store's conformance suite, which runs on both, and what must never be in `rows/audit.rs`.
//!
//! # To add a kind of entity
//! After its rules, its wire form and its place in the engine (see those crates), two tables, `noun` and `noun_tail`. The
//! compiler names each step that was forgotten, a test the migrations.
//! 1. The migrations, as above: the key, `version`, the indexed columns, `image_version` and `image`; in the tail's table the
//!    key, `version` and `changes`.
//! 2. `rows/flushed.rs`: its row, and an arm and a list in `RowsByKind` (it matches on `EntityKey` and on `Snapshot`).
//! 3. For each database its `EntityRow`, which names its tables and binds its columns (`sqlite/tables/noun.rs`,
//!    `postgres/tables/snapshots.rs`), its load, and its `Statements` in `tables/entities.rs` (`flush` takes `RowsByKind` apart).
//! 4. `rows/audit.rs`: what must never be; `tables/audit.rs` of each database reads its rows and tails (it matches on
//!    `EntityKind`). `tests/it/audit.rs` damages both tables of every kind.
//!
//! # To add a database
//! Another folder beside `sqlite/` and `postgres/`, with migrations beside theirs, and a `Backend` in
//! `tests/it/backend.rs`: the conformance suites are the same for all.

mod columns;
pub mod directory;
pub mod error;
pub mod failover;
pub mod postgres;
pub mod redis;
mod rows;
pub mod sqlite;
mod table_stores;
