use crate::entity::Resident;
use std::{
    collections::HashMap,
    sync::atomic::{AtomicU32, Ordering},
};

use parking_lot::Mutex;

/// One request in this many is looked at.
const SAMPLE: u32 = 32;
/// Entities counted at most in one window.
const COUNTED: usize = 4096;

/// Which entities are asked most, by sampling.
#[derive(Debug)]
pub(crate) struct HotKeys<E: Resident> {
    turn: AtomicU32,
    window: Mutex<HashMap<E::Id, u64>>,
}

/// An entity and about how many requests it had in the last seconds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct HotKey {
    pub kind: &'static str,
    /// A SKU, or the beginning of a cart's id: the whole id is the key to a guest's cart.
    pub id: String,
    pub requests: u64,
}

impl<E: Resident> Default for HotKeys<E> {
    fn default() -> Self {
        Self { turn: AtomicU32::new(0), window: Mutex::default() }
    }
}

impl<E: Resident> HotKeys<E> {
    pub(crate) fn count(&self, id: &E::Id) {
        if !self.turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(SAMPLE) {
            return;
        }
        let mut window = self.window.lock();
        if window.len() < COUNTED || window.contains_key(id) {
            *window.entry(id.clone()).or_default() += u64::from(SAMPLE);
        }
    }

    /// Older requests weigh half as much from now on.
    pub(crate) fn decay(&self) {
        self.window.lock().retain(|_, count| {
            *count /= 2;
            *count > 0
        });
    }

    pub(crate) fn top(&self, most: usize) -> Vec<HotKey> {
        let mut all: Vec<(E::Id, u64)> =
            self.window.lock().iter().map(|(id, count)| (id.clone(), *count)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(most);
        all.into_iter()
            .map(|(id, requests)| HotKey { kind: E::KIND, id: E::key(&id).shown(), requests })
            .collect()
    }
}
