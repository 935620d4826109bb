//! Which of the shards an entity lives in: fixed for ever, so that a tool may know it too.

use anyhow::Context;
use xxhash_rust::xxh3::xxh3_64;

const SHARDS: u64 = 1024;

/// `id` as the API writes it: 32 hexadecimal digits.
pub fn shard_of_cart(id: &str) -> anyhow::Result<usize> {
    let id = u128::from_str_radix(id, 16).with_context(|| format!("{id} is no cart's id"))?;
    shard_of(&id.to_be_bytes())
}

pub fn shard_of_sku(sku: &str) -> anyhow::Result<usize> {
    shard_of(sku.as_bytes())
}

fn shard_of(bytes: &[u8]) -> anyhow::Result<usize> {
    Ok(usize::try_from(xxh3_64(bytes) % SHARDS)?)
}
