//! The tables in PostgreSQL. Rows that more than one pod may change are locked before they are looked at.

mod addresses;
mod audit;
mod catalog;
mod entities;
mod keys;
mod orders;
mod sessions;
mod snapshots;
mod store;
mod users;

pub use store::PostgresStore;
