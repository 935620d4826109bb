//! The real service on a free port, with SQLite in a folder of its own, asked over HTTP; and pods that share a
//! PostgreSQL.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod backup;
mod bad_input;
mod browsers;
mod carts;
mod checkout;
mod command_line;
mod entity_kinds;
mod fleet;
mod fleet_on_redis;
mod forms;
mod full_disk;
mod gone_clients;
mod idempotency;
mod inventory;
mod openapi;
mod operations;
mod orders;
mod peers;
mod permissions;
mod preconditions;
mod products;
mod sessions;
mod slow_clients;
mod support;
mod users;
