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

mod pods;
mod postgres;

pub use pods::{Fleet, Setup, get_json};
pub use postgres::Postgres;
