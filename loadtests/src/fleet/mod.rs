//! A fleet under test: a private PostgreSQL and some pods, as real processes on this machine, each of which can be killed,
//! paused, stopped and started again, with settings of its own.
//!
//! ```text
//! let mut fleet = Fleet::new(&Setup { .. }, directory).await?;   // PostgreSQL runs, no pod does
//! fleet.set(1, "DATABASE_URL", fleet.postgres.url_at(proxy));    // before its start: pod `b` goes through a proxy
//! fleet.start_all().await?;                                      // every pod is ready, every shard has an owner
//! fleet.kill(0).await?;  fleet.start(0).await?;
//! fleet.finish().await?;                                         // level tables, SIGTERM, exit 0, `verify` agrees
//! ```
//!
//! `scenario` has what can go wrong, a file each; the load and the judgement are those of [`crate::chaos`].

mod balancer;
mod load;
mod pods;
mod postgres;
mod probe;
mod redis;
pub mod scenario;
mod shard;

pub use balancer::Balancer;
pub use load::{Load, Pace, open_shop};
pub use pods::{Fleet, Setup, get_json};
pub use postgres::Postgres;
pub use probe::Probes;
pub use redis::Redis;
pub use shard::{shard_of_cart, shard_of_sku};
