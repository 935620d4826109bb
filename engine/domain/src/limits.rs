//! The limits of the rules, named, with their units. What a shop may choose is in [`Limits`]; the rest are properties of the
//! design.

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
/// The largest amount that is shown or charged, in minor units: what every JSON reader keeps exactly.
pub const MAX_AMOUNT: i64 = (1 << 53) - 1;
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

const _: () = assert!(SHARDS.is_power_of_two());
const _: () = assert!(MAX_PRICE.checked_mul(999 * 100).is_some());
const _: () = assert!(MAX_PRICE <= MAX_AMOUNT && MAX_ON_HAND <= MAX_AMOUNT);
const _: () = assert!(DEFAULT_HOLD_TTL.as_secs() <= MAX_HOLD_TTL.as_secs());

/// The limits of a cart that the shop may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Lines of one cart.
    pub cart_lines: usize,
    /// Units of one line.
    pub line_quantity: u32,
    /// Characters of a cart's metadata.
    pub metadata_characters: usize,
    /// An untouched cart expires after this long.
    pub cart_lifetime: Seconds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cart_lines: 100,
            line_quantity: 999,
            metadata_characters: 4096,
            cart_lifetime: Seconds(30 * 24 * 60 * 60),
        }
    }
}
