//! What carts and stock have in common: a pure rule that decides, and a pure rule that applies.

use std::{fmt::Debug, hash::Hash};

use crate::{
    commit::{Change, EntityKey, Header, Image, Subject},
    idempotency::{Caller, KeyGuard, KeyRing, Outcome},
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
    pub key: Option<KeyGuard>,
}

/// What a rule decided. Without events nothing changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<Event> {
    pub events: Vec<Event>,
    pub outcome: Outcome,
    /// The key to remember the outcome under, where it is not the request's own.
    pub settles: Option<KeyGuard>,
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

/// A kind of live entity: a cart, or a SKU's stock.
pub trait Entity: Debug + Clone + Send + Sync + Sized + 'static {
    type Id: Clone + Eq + Hash + Ord + Debug + Send + Sync + 'static;
    type Command: Debug + Send + Sync + 'static;
    type Event: Debug + Send + Sync + 'static;
    type Rejection: Debug + Send + Sync + 'static;
    /// What readers see; cheap to clone.
    type View: Debug + Clone + Send + Sync + 'static;
    /// What a resident entity keeps beside its view while it has no actor.
    type Rest: Debug + Send + Sync + 'static;

    /// For metrics and logs: `cart`, `stock`.
    const KIND: &'static str;
    /// Why a request is shed when too many wait for one entity of this kind.
    const BUSY: &'static str;

    /// An entity that was never changed: version 0.
    fn absent(id: &Self::Id) -> Self;
    /// Whether a command may be the first that an absent entity gets; others need not load anything.
    fn begins(command: &Self::Command) -> bool;
    /// Whether readers see an entity: a cart once it was created, a stock always.
    fn visible(&self) -> bool;
    fn key(id: &Self::Id) -> EntityKey;
    fn subject(id: &Self::Id, events: Vec<Self::Event>) -> Subject;

    /// Pure: no clock, no I/O.
    fn decide(
        &self,
        command: &Self::Command,
        context: &Context,
    ) -> Result<Decision<Self::Event>, Self::Rejection>;

    /// Told of every rejection, for the metrics.
    fn observe_rejection(_: &Self::Rejection) {}
    /// Told now and then what all residents weigh together, for the metrics.
    fn observe_weight(_: usize) {}

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

    /// The events of a change, when it is one of this kind.
    fn events(change: &Change) -> Option<&[Self::Event]>;

    fn view(&self) -> Self::View;
    /// The version that a view shows.
    fn version_of(view: &Self::View) -> u64;
    /// The columns of this version, whose view is given.
    fn header(&self, view: &Self::View) -> Header;
    fn image(&self, view: &Self::View, keys: &KeyRing) -> Image;
    /// How much an image costs beside the fixed part, in elements: holds, lines.
    fn weight(&self) -> usize;

    /// The next shop time at which the entity must look at itself.
    fn next_deadline(&self) -> Option<ShopTime>;
    /// Bytes that a resident entity takes, about.
    fn footprint(&self) -> usize;

    fn rest(self) -> Self::Rest;
    fn wake(id: &Self::Id, view: &Self::View, rest: Self::Rest) -> Self;
}
