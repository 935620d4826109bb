//! A pod's journal that is fast and forgets nothing: Redis before PostgreSQL.
//!
//! Entries are acknowledged in Redis, so that answers wait neither for PostgreSQL's commits nor for its coming back. A
//! Redis that failed over may have forgotten a seal and the last entries. Hence:
//!
//! - What the tables have not got is retained in memory ([`retained`]).
//! - A connection to Redis acknowledges nothing before this pod has read in its own row in PostgreSQL, *after* connecting,
//!   that it is alive, and has written to Redis what the tables have not got ([`placement`]).
//! - When memory is short, the copies of what the journal has are dropped. A new connection, or the way to PostgreSQL, then
//!   waits until the tables have those entries.
//! - Without Redis the pod goes on in the PostgreSQL journal, once that has all that the tables have not got. Then
//!   its row says so. It comes back by the same rules.
//! - Whoever finishes a dead pod's journal ([`recovery`]) reads Redis too, unless the row says that nothing is there.

mod journal;
mod placement;
mod recovery;
mod retained;
mod target;

pub use journal::FailoverJournal;
