//! What an event does to a stock, and what makes a stock a live entity.

use super::{Hold, Stock, StockCommand, StockEvent, StockLevel, StockRejection, metrics};
use crate::{
    commit::{Change, EntityKey, Header, Image, StockImage, Subject},
    entity::{Context, Decision, Entity},
    id::Sku,
    idempotency::KeyRing,
    time::{ShopTime, Timestamp},
};

impl Entity for Stock {
    type Id = Sku;
    type Command = StockCommand;
    type Event = StockEvent;
    type Rejection = StockRejection;
    type View = StockLevel;
    type Rest = Box<Self>;

    const KIND: &'static str = "stock";
    const BUSY: &'static str = "busy_stock";

    fn absent(sku: &Sku) -> Self {
        Self::never_stocked(sku.clone())
    }

    fn begins(_: &StockCommand) -> bool {
        true
    }

    fn visible(&self) -> bool {
        true
    }

    fn key(sku: &Sku) -> EntityKey {
        EntityKey::Stock(sku.clone())
    }

    fn subject(sku: &Sku, events: Vec<StockEvent>) -> Subject {
        Subject::Stock(sku.clone(), events)
    }

    fn decide(
        &self,
        command: &StockCommand,
        context: &Context,
    ) -> Result<Decision<StockEvent>, StockRejection> {
        self.decide_command(command, context)
    }

    fn observe_rejection(rejection: &StockRejection) {
        metrics::observe_rejection(rejection);
    }

    fn observe_weight(holds: usize) {
        metrics::observe_holds(holds);
    }

    fn apply(&mut self, event: &StockEvent, _: Timestamp) {
        match event {
            StockEvent::Adjusted { delta, .. } => {
                self.level.on_hand += delta;
                self.level.stocked += delta;
            }
            StockEvent::HoldPlaced { id, quantity, deadline, checkout } => {
                self.level.held += i64::from(*quantity);
                self.put_hold(*id, Hold { quantity: *quantity, deadline: *deadline, checkout: *checkout });
            }
            StockEvent::HoldExtended { id, deadline } => {
                if let Some(hold) = self.hold(*id).copied() {
                    self.put_hold(*id, Hold { deadline: *deadline, ..hold });
                }
            }
            StockEvent::HoldReleased { id } | StockEvent::HoldExpired { id } => {
                let quantity = self.take_hold(*id).map_or(0, |hold| hold.quantity);
                self.level.held -= i64::from(quantity);
            }
            StockEvent::HoldSold { id } => {
                let quantity = i64::from(self.take_hold(*id).map_or(0, |hold| hold.quantity));
                self.level.held -= quantity;
                self.level.on_hand -= quantity;
                self.level.sold += quantity;
            }
            StockEvent::Restocked { quantity, .. } => {
                self.level.on_hand += i64::from(*quantity);
                self.level.sold -= i64::from(*quantity);
            }
        }
    }

    fn version(&self) -> u64 {
        self.level.version
    }

    fn set_version(&mut self, version: u64) {
        self.level.version = version;
    }

    fn events(change: &Change) -> Option<&[StockEvent]> {
        match &change.subject {
            Subject::Stock(_, events) => Some(events),
            Subject::Cart(..) => None,
        }
    }

    fn view(&self) -> StockLevel {
        self.level
    }

    fn version_of(level: &StockLevel) -> u64 {
        level.version
    }

    fn header(&self, level: &StockLevel) -> Header {
        Header::Stock { level: *level, next_deadline: self.earliest_deadline() }
    }

    fn image(&self, _: &StockLevel, keys: &KeyRing) -> Image {
        Image::Stock(StockImage { stock: self.clone(), keys: keys.iter().cloned().collect() })
    }

    fn weight(&self) -> usize {
        self.holds().len()
    }

    fn next_deadline(&self) -> Option<ShopTime> {
        self.earliest_deadline()
    }

    fn footprint(&self) -> usize {
        512 + self.holds().len() * 112
    }

    fn rest(self) -> Box<Self> {
        Box::new(self)
    }

    fn wake(_: &Sku, _: &StockLevel, rest: Box<Self>) -> Self {
        *rest
    }
}
