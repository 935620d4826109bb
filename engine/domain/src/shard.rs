//! Shards: a fixed number of them, for ever, so that an entity's shard never changes.

use xxhash_rust::xxh3::xxh3_64;

use crate::limits::SHARDS;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u16);

impl ShardId {
    /// The shard of an entity's stable bytes.
    #[expect(clippy::cast_possible_truncation, reason = "the mask leaves ten bits")]
    pub fn of(bytes: &[u8]) -> Self {
        Self((xxh3_64(bytes) & u64::from(SHARDS - 1)) as u16)
    }
}
