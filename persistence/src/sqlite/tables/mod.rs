//! The tables in a SQLite file: one writer, a few readers.

mod addresses;
mod audit;
mod carts;
mod catalog;
mod entities;
mod inventory;
mod keys;
mod orders;
mod sessions;
mod snapshots;
mod store;
mod users;

pub use store::SqliteStore;
