//! What carts and stock have in common: a pure rule that decides, and a pure rule that applies.

use std::{fmt::Debug, hash::Hash};

use crate::{
    idempotency::{Caller, KeyFingerprint, Outcome},
    limits::Limits,
    time::{ShopTime, Timestamp},
};

/// What a rule may know beside the command: it reads no clock.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    pub caller: Caller,
    pub wall: Timestamp,
    pub shop: ShopTime,
    /// Deadlines up to this have passed, whoever looks.
    pub passed: ShopTime,
    pub limits: Limits,
    /// The request's idempotency key, for a command whose outcome is known only later.
    pub key: Option<KeyFingerprint>,
}

/// What a rule decided. Without events nothing changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<Event> {
    pub events: Vec<Event>,
    pub outcome: Outcome,
    /// The key to remember the outcome under, where it is not the request's own.
    pub settles: Option<KeyFingerprint>,
}

impl<Event> Decision<Event> {
    pub fn of(events: Vec<Event>) -> Self {
        Self { events, outcome: Outcome::Applied, settles: None }
    }

    pub const fn nothing(outcome: Outcome) -> Self {
        Self { events: Vec::new(), outcome, settles: None }
    }

    #[must_use]
    pub fn answering(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }
}

/// A kind of entity, a cart or a SKU's stock, as its rules see it.
pub trait Entity: Debug + Clone + Send + Sync + Sized + 'static {
    type Id: Clone + Eq + Hash + Ord + Debug + Send + Sync + 'static;
    type Command: Debug + Send + Sync + 'static;
    type Event: Debug + Send + Sync + 'static;
    type Rejection: Debug + Send + Sync + 'static;

    /// An entity that was never changed: version 0.
    fn absent(id: &Self::Id) -> Self;
    /// Whether a command may be the first that an absent entity gets; others need not load anything.
    fn begins(command: &Self::Command) -> bool;
    /// Whether readers see an entity: a cart once it was created, a stock always.
    fn visible(&self) -> bool;

    /// Pure: no clock, no I/O.
    fn decide(
        &self,
        command: &Self::Command,
        context: &Context,
    ) -> Result<Decision<Self::Event>, Self::Rejection>;

    /// Pure, and the only place where an entity changes: live, and again on replay.
    fn apply(&mut self, event: &Self::Event, wall: Timestamp);

    fn version(&self) -> u64;
    fn set_version(&mut self, version: u64);

    /// Applies one change's events as the entity's next version.
    fn advance(&mut self, events: &[Self::Event], wall: Timestamp) {
        for event in events {
            self.apply(event, wall);
        }
        self.set_version(self.version() + 1);
    }

    /// The next shop time at which the entity must look at itself.
    fn next_deadline(&self) -> Option<ShopTime>;
}
