//! From an actor's decision to a durable answer, and on to the tables.
//!
//! An actor hands its lane a [`CommitItem`]. The lane gathers what has come while its last append was under way, appends
//! it to the journal as one entry, gives it to the write-behind, and releases the answers in order.

mod dirty_set;
pub(crate) mod group_commit;
pub(crate) mod recovery;
pub(crate) mod write_behind;

pub use recovery::{Recovered, RecoveryError, recover};
pub use write_behind::{Lag, WriteBehindConfig};
