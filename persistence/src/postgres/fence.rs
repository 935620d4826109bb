//! The fence of an incarnation: an advisory lock that its writers share, and that whoever declares it dead takes alone.

use smartcart_domain::id::IncarnationId;
use sqlx::PgConnection;

use crate::{
    columns::{id_bytes, signed},
    error::TableResult,
};

/// The advisory lock of an incarnation's fence. Incarnations are random: half of one is enough.
pub(super) fn fence_key(incarnation: IncarnationId) -> i64 {
    let half = u64::try_from(incarnation.0 >> 64).unwrap_or_default();
    signed(half & !1)
}

/// The lock of the one who finishes an incarnation's write-behind.
pub(super) fn takeover_key(incarnation: IncarnationId) -> i64 {
    fence_key(incarnation) | 1
}

/// Shares the incarnation's fence to the end of the transaction; `Fenced` when it may not write.
pub(super) async fn fence(connection: &mut PgConnection, me: IncarnationId) -> TableResult<()> {
    sqlx::query("SELECT fence($1, $2)").bind(id_bytes(me.0)).bind(fence_key(me)).execute(connection).await?;
    Ok(())
}
