//! What an event does to a stock.

use super::{Hold, Stock, StockCommand, StockEvent, StockRejection};
use crate::{
    entity::{Context, Decision, Entity},
    id::Sku,
    time::{ShopTime, Timestamp},
};

impl Entity for Stock {
    type Id = Sku;
    type Command = StockCommand;
    type Event = StockEvent;
    type Rejection = StockRejection;

    fn absent(sku: &Sku) -> Self {
        Self::never_stocked(sku.clone())
    }

    fn begins(_: &StockCommand) -> bool {
        true
    }

    fn visible(&self) -> bool {
        true
    }

    fn decide(
        &self,
        command: &StockCommand,
        context: &Context,
    ) -> Result<Decision<StockEvent>, StockRejection> {
        self.decide_command(command, context)
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
            StockEvent::Restocked { order, quantity, remembered } => {
                self.level.on_hand += i64::from(*quantity);
                self.level.sold -= i64::from(*quantity);
                if *remembered {
                    self.restocked.insert(*order);
                }
            }
            StockEvent::RestockForgotten { order } => {
                self.restocked.remove(order);
            }
        }
    }

    fn version(&self) -> u64 {
        self.level.version
    }

    fn set_version(&mut self, version: u64) {
        self.level.version = version;
    }

    fn next_deadline(&self) -> Option<ShopTime> {
        self.earliest_deadline()
    }
}
