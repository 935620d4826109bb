//! What a stock accepts. Every decision first lets go of the plain holds whose time has passed.

use std::time::Duration;

use super::{
    command::StockCommand,
    event::{Adjustment, StockEvent},
    state::{Hold, Stock},
};
use crate::limits;
use crate::{
    entity::{Context, Decision},
    id::{CartId, HoldId, OrderId},
    idempotency::Outcome,
    time::ShopTime,
};

/// Why a stock did not do what it was asked. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StockRejection {
    #[error("only {available} available")]
    InsufficientStock { available: i64 },
    #[error("there is no such hold, or its time has passed")]
    HoldNotFound,
    #[error("the hold's id is taken by another hold")]
    HoldExists,
    #[error("a quantity is 1 or more")]
    QuantityZero,
    #[error("a hold's time is 1 s to {max_seconds} s")]
    TtlOutOfRange { max_seconds: u64 },
    #[error("{held} units are held: no fewer can be on hand")]
    BelowHeld { held: i64 },
    #[error("on hand are 0 to {max} units")]
    OnHandOutOfRange { max: i64 },
    #[error("only {sold} units were sold")]
    NotSold { sold: i64 },
}

type Events = Vec<StockEvent>;
type Verdict = Result<Decision<StockEvent>, StockRejection>;

/// What a stock is once the holds that are due have gone.
struct Fresh<'a> {
    stock: &'a Stock,
    now: ShopTime,
    /// Deadlines up to this have passed.
    passed: ShopTime,
    /// Units that the expired holds give back.
    freed: i64,
}

impl Stock {
    pub(super) fn decide_command(&self, command: &StockCommand, context: &Context) -> Verdict {
        let mut expired: Vec<(HoldId, Hold)> = Vec::new();
        let mut freed = 0;
        for (id, hold) in self.due(context.passed).filter(|(_, hold)| hold.checkout.is_none()) {
            if expired.len() >= limits::EXPIRED_PER_MESSAGE && freed >= command.wanted() {
                break;
            }
            freed += i64::from(hold.quantity);
            expired.push((id, hold));
        }
        let fresh = Fresh { stock: self, now: context.shop, passed: context.passed, freed };
        let mut decision = fresh.decide(command)?;
        if !expired.is_empty() {
            let own = std::mem::take(&mut decision.events);
            decision.events =
                expired.iter().map(|(id, _)| StockEvent::HoldExpired { id: *id }).chain(own).collect();
        }
        Ok(decision)
    }
}

impl Fresh<'_> {
    fn decide(&self, command: &StockCommand) -> Verdict {
        match command {
            StockCommand::SetOnHand { on_hand } => {
                self.adjust(on_hand.saturating_sub(self.stock.level.on_hand), Adjustment::Counted)
            }
            StockCommand::Adjust { delta, reason } => self.adjust(*delta, Adjustment::Reason(reason.clone())),
            StockCommand::PlaceHold { id, quantity, ttl } => self.place_hold(*id, *quantity, *ttl),
            StockCommand::ExtendHold { id, ttl } => self.extend_hold(*id, *ttl),
            StockCommand::ReleaseHold { id } => {
                self.plain_hold(*id).map(|_| Decision::of(vec![StockEvent::HoldReleased { id: *id }]))
            }
            StockCommand::CommitHold { id } => {
                let hold = self.plain_hold(*id)?;
                let outcome = Outcome::Hold { id: *id, quantity: hold.quantity, deadline: hold.deadline };
                Ok(Decision::of(vec![StockEvent::HoldSold { id: *id }]).answering(outcome))
            }
            StockCommand::HoldForCheckout { order, cart, quantity } => {
                self.hold_for_checkout(*order, *cart, *quantity)
            }
            StockCommand::SellForCheckout { order } => {
                Ok(Decision::of(self.of_checkout(*order, |id| StockEvent::HoldSold { id })))
            }
            StockCommand::ReleaseForCheckout { order } => {
                Ok(Decision::of(self.of_checkout(*order, |id| StockEvent::HoldReleased { id })))
            }
            StockCommand::RestockCancelled { order, quantity } => self.restock(*order, *quantity),
            StockCommand::ForgetRestock { order } => {
                let known = self.stock.restocked.contains(order);
                let forgotten = known.then_some(StockEvent::RestockForgotten { order: *order });
                Ok(Decision::of(forgotten.into_iter().collect()))
            }
            StockCommand::ExpireDue => Ok(Decision::nothing(self.checkouts_to_ask())),
            StockCommand::KeepForCheckout { order } => {
                let deadline = self.now.plus(limits::CHECKOUT_HOLD_PATIENCE);
                Ok(Decision::of(self.of_checkout(*order, |id| StockEvent::HoldExtended { id, deadline })))
            }
        }
    }

    const fn held(&self) -> i64 {
        self.stock.level.held - self.freed
    }

    const fn available(&self) -> i64 {
        self.stock.level.on_hand - self.held()
    }

    fn adjust(&self, delta: i64, cause: Adjustment) -> Verdict {
        let max = limits::MAX_ON_HAND;
        let on_hand = self
            .stock
            .level
            .on_hand
            .checked_add(delta)
            .filter(|on_hand| (0..=max).contains(on_hand))
            .filter(|on_hand| on_hand + self.stock.level.sold <= limits::MAX_AMOUNT)
            .ok_or(StockRejection::OnHandOutOfRange { max })?;
        if on_hand < self.held() {
            return Err(StockRejection::BelowHeld { held: self.held() });
        }
        let changed = delta != 0;
        Ok(Decision::of(changed.then_some(StockEvent::Adjusted { delta, cause }).into_iter().collect()))
    }

    /// A plain hold that has time left.
    fn plain_hold(&self, id: HoldId) -> Result<&Hold, StockRejection> {
        let lives = |hold: &&Hold| hold.checkout.is_none() && hold.deadline > self.passed;
        self.stock.hold(id).filter(lives).ok_or(StockRejection::HoldNotFound)
    }

    fn deadline(&self, ttl: Duration) -> Result<ShopTime, StockRejection> {
        let allowed = Duration::from_secs(1)..=limits::MAX_HOLD_TTL;
        if !allowed.contains(&ttl) {
            return Err(StockRejection::TtlOutOfRange { max_seconds: limits::MAX_HOLD_TTL.as_secs() });
        }
        Ok(self.now.plus(ttl))
    }

    fn must_have(&self, quantity: u32) -> Result<(), StockRejection> {
        if quantity == 0 {
            return Err(StockRejection::QuantityZero);
        }
        if i64::from(quantity) > self.available() {
            return Err(StockRejection::InsufficientStock { available: self.available() });
        }
        Ok(())
    }

    fn place_hold(&self, id: HoldId, quantity: u32, ttl: Duration) -> Verdict {
        let deadline = self.deadline(ttl)?;
        match self.stock.hold(id) {
            // The same hold again: its id says so.
            Some(hold)
                if hold.checkout.is_none() && hold.quantity == quantity && hold.deadline > self.passed =>
            {
                return Ok(Decision::nothing(Outcome::Hold { id, quantity, deadline: hold.deadline }));
            }
            Some(_) => return Err(StockRejection::HoldExists),
            None => {}
        }
        self.must_have(quantity)?;
        Ok(Decision::of(vec![StockEvent::HoldPlaced { id, quantity, deadline, checkout: None }])
            .answering(Outcome::Hold { id, quantity, deadline }))
    }

    fn extend_hold(&self, id: HoldId, ttl: Duration) -> Verdict {
        let deadline = self.deadline(ttl)?;
        let quantity = self.plain_hold(id)?.quantity;
        Ok(Decision::of(vec![StockEvent::HoldExtended { id, deadline }]).answering(Outcome::Hold {
            id,
            quantity,
            deadline,
        }))
    }

    fn hold_for_checkout(&self, order: OrderId, cart: CartId, quantity: u32) -> Verdict {
        let id = HoldId::of_checkout(order);
        if let Some(hold) = self.stock.hold(id) {
            return Ok(Decision::nothing(Outcome::Hold {
                id,
                quantity: hold.quantity,
                deadline: hold.deadline,
            }));
        }
        self.must_have(quantity)?;
        let deadline = self.now.plus(limits::CHECKOUT_HOLD_PATIENCE);
        Ok(Decision::of(vec![StockEvent::HoldPlaced { id, quantity, deadline, checkout: Some(cart) }])
            .answering(Outcome::Hold { id, quantity, deadline }))
    }

    /// The event for a checkout's hold, when it is there.
    fn of_checkout(&self, order: OrderId, event: impl Fn(HoldId) -> StockEvent) -> Events {
        let id = HoldId::of_checkout(order);
        self.stock.hold(id).filter(|hold| hold.checkout.is_some()).map(|_| event(id)).into_iter().collect()
    }

    fn restock(&self, order: OrderId, quantity: u32) -> Verdict {
        if self.stock.restocked.contains(&order) {
            return Ok(Decision::nothing(Outcome::Applied));
        }
        // What is held still is sold first, so that it is remembered in the same way.
        let id = HoldId::of_checkout(order);
        let held = self.stock.hold(id).filter(|hold| hold.checkout.is_some());
        let sold = self.stock.level.sold + held.map_or(0, |hold| i64::from(hold.quantity));
        if sold < i64::from(quantity) {
            return Err(StockRejection::NotSold { sold });
        }
        let sale = held.map(|_| StockEvent::HoldSold { id });
        let restock = StockEvent::Restocked { order, quantity, remembered: true };
        Ok(Decision::of(sale.into_iter().chain([restock]).collect()))
    }

    fn checkouts_to_ask(&self) -> Outcome {
        let old = self.stock.due(self.passed).filter_map(|(id, hold)| Some((OrderId(id.0), hold.checkout?)));
        Outcome::CheckoutsToAsk(old.take(limits::EXPIRED_PER_MESSAGE).collect())
    }
}
