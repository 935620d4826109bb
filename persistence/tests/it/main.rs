//! The conformance suites of journals, tables and the registry, run against SQLite, PostgreSQL and Redis, and what only one
//! of them can suffer. File names are failure modes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit;
mod backend;
mod crashes;
mod fencing;
mod postgres;
mod redis;

mod every {
    smartcart_testkit::conformance!(journal on [Sqlite Postgres Redis RedisCluster]);
    smartcart_testkit::conformance!(store on [Sqlite Postgres]);
    smartcart_testkit::conformance!(registry on [Postgres]);
}
