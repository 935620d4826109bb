//! What one append to a journal makes durable.

use crate::{change::Change, id::IncarnationId, time::ShopTime};

/// One of a journal's few parallel sequences. An entity's changes are all in the lane of its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(pub u16);

/// All changes that the lane's actors handed over while the last append was under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub incarnation: IncarnationId,
    pub lane: Lane,
    /// From 1, without gaps; a number is never used twice.
    pub sequence: u64,
    /// Shop time of the append; shop time goes on from the last one after a restart.
    pub shop: ShopTime,
    pub changes: Vec<Change>,
}

/// How far a lane of a journal is in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermark {
    pub incarnation: IncarnationId,
    pub lane: Lane,
    pub sequence: u64,
}
