use std::sync::Arc;

use parking_lot::Mutex;

/// What no port may ever do. A test plants one of these to see that it notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// An append is acknowledged, and what it says is dropped.
    DroppedAppend,
    /// Whoever was declared dead goes on appending.
    OpenFence,
    /// What a dead member's journal has is not found.
    ForgottenJournal,
    /// A flush is acknowledged, and nothing of it is written.
    LostFlush,
    /// A shard that is handed over stays with its old owner as well.
    TwoOwners,
    /// A request that arrives again is done again.
    RepeatedRequest,
}

/// The bug that was planted, if any; it strikes at one chance in so many.
#[derive(Debug, Clone, Default)]
pub(super) struct Bugs(Arc<Mutex<Option<Planted>>>);

#[derive(Debug)]
struct Planted {
    bug: Bug,
    one_in: u32,
    chances: u32,
}

impl Bugs {
    pub(super) fn plant(&self, bug: Bug, one_in: u32) {
        *self.0.lock() = Some(Planted { bug, one_in, chances: 0 });
    }

    /// Whether it strikes now, when there is a chance for it.
    pub(super) fn strikes(&self, bug: Bug) -> bool {
        let mut planted = self.0.lock();
        let Some(planted) = planted.as_mut().filter(|planted| planted.bug == bug) else { return false };
        planted.chances += 1;
        planted.chances.is_multiple_of(planted.one_in)
    }
}
