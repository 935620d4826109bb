//! From an actor's decision to a durable answer, and on to the tables.
//!
//! An actor hands its lane a [`CommitItem`]. The lane gathers what has come while its last append was under way, appends
//! it to the journal as one entry, gives it to the write-behind, and releases the answers in order.

mod change;
mod image;
mod lane;
mod recovery;
mod waiting;
mod write_behind;

pub use change::{Change, EntityKey, Entry, Lane, Subject};
pub use image::{CartImage, Header, Image, Row, StockImage, TableBatch, Watermark};
pub use lane::CommitFailure;
pub(crate) use lane::{CommitItem, LaneHandle, start_lanes};
pub(crate) use recovery::finish_write_behind;
pub use recovery::{Recovered, RecoveryError, recover};
pub(crate) use write_behind::WriteBehind;
pub use write_behind::{Lag, WriteBehindConfig};
