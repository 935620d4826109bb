use std::fmt::Display;

use smartcart_domain::change::Change;
use smartcart_engine::store::StoreError;

use crate::{columns::unsigned, error::corrupt};
use smartcart_wire::decode_changes;

/// A snapshot or a part of its tail.
#[derive(sqlx::FromRow)]
pub(crate) struct Part {
    /// Of a snapshot: the version that its tail leads to.
    pub(crate) version: i64,
    pub(crate) bytes: Vec<u8>,
}

/// The snapshot, and the changes that lead from it to the row's version, in order, each once: tails of flushes may
/// overlap. A gap is damage.
pub(crate) fn assemble<S>(
    parts: &[Part],
    subject: impl Display + Copy,
    decode: impl Fn(&[u8]) -> Result<S, smartcart_wire::Malformed>,
    version_of: impl Fn(&S) -> u64,
) -> Result<Option<(S, Vec<Change>)>, StoreError> {
    let Some((head, tail)) = parts.split_first() else { return Ok(None) };
    let snapshot = decode(&head.bytes).map_err(corrupt(subject))?;
    let mut version = version_of(&snapshot);
    let mut changes = Vec::new();
    for part in tail {
        for change in decode_changes(&part.bytes).map_err(corrupt(subject))? {
            if change.version == version + 1 {
                version = change.version;
                changes.push(change);
            }
        }
    }
    if version != unsigned(head.version) {
        return Err(StoreError::Corrupt(format!("{subject}: version {} is missing", version + 1)));
    }
    Ok(Some((snapshot, changes)))
}
