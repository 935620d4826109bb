//! Idempotency keys. A key lives in the snapshot of the entity that it guards, so it is exactly as durable as the change.
//! Only changes that were made are remembered: a refusal changes nothing and is decided again.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::limits;
use crate::{
    checkout::AbortReason,
    id::{CartId, HoldId, OrderId, UserId},
    time::ShopTime,
};

/// Who asks. Keys belong to their caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    Guest,
    User(UserId),
    /// A service token: the shop itself.
    Service,
    /// The engine's own steps (checkout, expiry).
    Engine,
}

/// A key as the engine sees it: never the text, only hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFingerprint {
    /// SHA-256 over caller and key, cut to 128 bits.
    pub key: u128,
    /// A fingerprint of the request: method, path and body.
    pub request: u64,
}

impl KeyFingerprint {
    pub fn new(caller: Caller, key: &str, request: u64) -> Self {
        let mut hash = Sha256::new();
        match caller {
            Caller::Guest => hash.update([0]),
            Caller::User(id) => {
                hash.update([1]);
                hash.update(id.0.to_be_bytes());
            }
            Caller::Service => hash.update([2]),
            Caller::Engine => hash.update([3]),
        }
        hash.update(key.as_bytes());
        let mut cut = [0; 16];
        cut.copy_from_slice(&hash.finalize()[..16]);
        Self { key: u128::from_be_bytes(cut), request }
    }
}

/// What a change answered, beside the entity's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The entity itself is the whole answer.
    Applied,
    Hold {
        id: HoldId,
        quantity: u32,
        deadline: ShopTime,
    },
    Batch(Box<[OperationOutcome]>),
    /// A checkout began; it ends as `Ordered` or `CheckoutRefused`.
    CheckoutStarted(OrderId),
    Ordered(OrderId),
    CheckoutRefused(OrderId, Box<AbortReason>),
    /// Checkouts whose holds are old: their carts should be asked. Never remembered under a key.
    CheckoutsToAsk(Box<[(OrderId, CartId)]>),
}

impl Outcome {
    /// Whether its key stands for it. Otherwise nothing was reached, and the same key may try again.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::CheckoutRefused(_, reason) => reason.is_final(),
            Self::Applied
            | Self::Hold { .. }
            | Self::Batch(_)
            | Self::CheckoutStarted(_)
            | Self::Ordered(_)
            | Self::CheckoutsToAsk(_) => true,
        }
    }
}

/// How one operation of a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationOutcome {
    Applied,
    CartFull,
    QuantityTooLarge,
    ItemNotFound,
    UnknownSku,
    NoPrice,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    pub key: u128,
    pub request: u64,
    pub at: ShopTime,
    pub outcome: Outcome,
}

/// The keys an entity has seen in the last 24 hours, oldest first. Costs one pointer while there are none.
#[derive(Debug, Clone, Default)]
pub struct IdempotencyWindow(Option<Box<Window>>);

#[derive(Debug, Clone, Default)]
struct Window {
    order: VecDeque<u128>,
    records: HashMap<u128, KeyRecord>,
}

impl IdempotencyWindow {
    pub fn get(&self, key: u128) -> Option<&KeyRecord> {
        self.0.as_ref()?.records.get(&key)
    }

    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |window| window.order.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Remembers a key, or replaces its outcome, and forgets what is older than the retention.
    pub fn remember(&mut self, record: KeyRecord) {
        let window = self.0.get_or_insert_default();
        while let Some(oldest) = window.order.front() {
            let too_old = |old: &KeyRecord| old.at.plus(limits::KEY_RETENTION) <= record.at;
            if !window.records.get(oldest).is_none_or(too_old) {
                break;
            }
            if let Some(key) = window.order.pop_front() {
                window.records.remove(&key);
            }
        }
        let key = record.key;
        if window.records.insert(key, record).is_none() {
            window.order.push_back(key);
        }
    }

    /// The records, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &KeyRecord> {
        self.0.iter().flat_map(|window| window.order.iter().filter_map(|key| window.records.get(key)))
    }
}

impl FromIterator<KeyRecord> for IdempotencyWindow {
    fn from_iter<I: IntoIterator<Item = KeyRecord>>(records: I) -> Self {
        let mut window = Self::default();
        for record in records {
            window.remember(record);
        }
        window
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(key: u128, at: ShopTime) -> KeyRecord {
        KeyRecord { key, request: 1, at, outcome: Outcome::Applied }
    }

    #[test]
    fn a_key_is_forgotten_after_a_day() {
        let mut window = IdempotencyWindow::default();
        window.remember(record(1, ShopTime(0)));
        window.remember(record(2, ShopTime(0).plus(Duration::from_secs(60))));
        window.remember(record(3, ShopTime(0).plus(limits::KEY_RETENTION)));
        assert!(window.get(1).is_none());
        assert!(window.get(2).is_some());
        assert_eq!(window.iter().map(|r| r.key).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn the_same_key_belongs_to_each_caller_apart() {
        let guest = KeyFingerprint::new(Caller::Guest, "k", 0);
        let user = KeyFingerprint::new(Caller::User(UserId(0)), "k", 0);
        assert_ne!(guest.key, user.key);
    }
}
