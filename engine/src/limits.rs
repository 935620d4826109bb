//! Every limit, named, with its unit. What a shop may choose is in `Limits`; the rest are properties of the design.

use std::time::Duration;

use crate::time::Seconds;

/// Bytes of a SKU or a product id.
pub const SKU_BYTES: usize = 64;
/// Shards that entities are spread over: fixed for the life of a shop.
pub const SHARDS: u16 = 1024;
/// How long an idempotency key is remembered, in shop time.
pub const KEY_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);
/// Units on hand of one SKU: leaves room for sums over a million SKUs in an `i64`.
pub const MAX_ON_HAND: i64 = 1_000_000_000_000;
/// Minor units of one price: a full cart's total fits an `i64`.
pub const MAX_PRICE: i64 = 1_000_000_000_000;
/// Operations of one batch.
pub const MAX_BATCH_OPERATIONS: usize = 200;
/// Holds that one message expires, so that no message takes long; more only when it wants what they give back.
pub const EXPIRED_PER_MESSAGE: usize = 512;
/// Levels of nesting in a cart's metadata.
pub const METADATA_DEPTH: usize = 16;
/// The longest time a hold may be asked for.
pub const MAX_HOLD_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// The time of a hold whose asker named none.
pub const DEFAULT_HOLD_TTL: Duration = Duration::from_secs(15 * 60);
/// A checkout's hold this old asks its cart whether the checkout still lives.
pub const CHECKOUT_HOLD_PATIENCE: Duration = Duration::from_secs(30);

/// Percent of the memory for what waits for the tables: from here on the journal keeps no copies in memory, ...
pub const COPIES_DROPPED_AT: u64 = 50;
/// ... from here on guests' changes are refused, and from there on all.
pub const GUESTS_REFUSED_AT: u64 = 70;
pub const ALL_REFUSED_AT: u64 = 80;
/// Requests that wait for a shard to change hands.
pub const WAITING_FOR_SHARDS: usize = 8192;
/// Readers are served this long after ownership was last confirmed.
pub const READS_WITHOUT_CONFIRMATION: Duration = Duration::from_secs(2);
/// Without the registry, readers are served this long after the journal last said that it is not sealed; whoever seals it
/// waits as long before anybody else serves the shards.
pub const READS_WITHOUT_ASKING: Duration = Duration::from_secs(1);
/// Shards that one pod hands over at once.
pub const SHARDS_HANDED_AT_ONCE: usize = 8;
/// Pods that a request passes on its way: the one it came to, and one more when the shard has just moved.
pub const MAX_HOPS: u8 = 2;
/// Pods' shop times differ by less than this: a hold is let go of this much after its time in a fleet, so that none
/// ends early when its shard changes hands.
pub const SHOP_TIME_SKEW: Duration = Duration::from_secs(2);

const _: () = assert!(SHARDS.is_power_of_two());
const _: () = assert!(COPIES_DROPPED_AT < GUESTS_REFUSED_AT);
const _: () = assert!(GUESTS_REFUSED_AT < ALL_REFUSED_AT && ALL_REFUSED_AT < 100);
const _: () = assert!(READS_WITHOUT_ASKING.as_millis() < READS_WITHOUT_CONFIRMATION.as_millis());
const _: () = assert!(MAX_PRICE.checked_mul(999 * 100).is_some());
const _: () = assert!(DEFAULT_HOLD_TTL.as_secs() <= MAX_HOLD_TTL.as_secs());

/// The limits of a cart that the shop may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lines of one cart.
    pub cart_lines: usize,
    /// Units of one line.
    pub line_quantity: u32,
    /// Bytes of a cart's metadata.
    pub metadata_bytes: usize,
    /// An untouched cart expires after this long.
    pub cart_lifetime: Seconds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cart_lines: 100,
            line_quantity: 999,
            metadata_bytes: 4096,
            cart_lifetime: Seconds(30 * 24 * 60 * 60),
        }
    }
}
