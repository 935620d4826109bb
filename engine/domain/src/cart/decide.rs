//! What a cart accepts.

use std::sync::Arc;

use super::{
    command::{BatchMode, CartCommand, CheckoutTerms, Operation, OperationKind},
    event::CartEvent,
    state::{Cart, CartStatus, Checkout, CheckoutPhase, Line},
};
use crate::{
    catalog::Catalog,
    checkout::{AbortReason, ChangedPrices, PriceChange, TotalChange, Withdrawn},
    entity::{Context, Decision},
    id::{OrderId, Sku, UserId},
    idempotency::{Caller, OperationOutcome, Outcome},
    money::{self, Money, line_total},
    orders::{Order, OrderLine, OrderStatus, StatusChange},
    payment::Authorization,
};

/// Why a cart did not do what it was asked. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CartRejection {
    #[error("there is no such cart")]
    NotFound,
    #[error("the cart exists")]
    AlreadyExists,
    #[error("the cart has expired")]
    Expired,
    #[error("the cart is being checked out")]
    CheckingOut,
    #[error("the cart's last checkout is not settled yet")]
    CheckoutUnderWay,
    #[error("the cart has no checkout of that order")]
    NoSuchCheckout,
    #[error("there is no SKU {0}")]
    UnknownSku(Sku),
    #[error("SKU {0} has no price in the cart's currency")]
    NoPrice(Sku),
    #[error("the cart has no line of SKU {0}")]
    ItemNotFound(Sku),
    #[error("a cart has at most {limit} lines")]
    CartFull { limit: usize },
    #[error("a quantity is 1 to {limit}")]
    QuantityOutOfRange { limit: u32 },
    #[error("the cart's total is more than can be counted")]
    TotalTooLarge,
    #[error("operation {index} of the batch: {reason}")]
    Batch { index: usize, reason: Box<CartRejection> },
    #[error("the cart is empty")]
    CartEmpty,
    #[error("the cart was ordered: order {order}")]
    CartOrdered { order: OrderId },
    #[error("the total is {}, not what the shopper has agreed to", .0.total.now)]
    PriceChanged(Box<ChangedPrices>),
    #[error("some of it is no longer sold")]
    ProductUnavailable(Vec<Withdrawn>),
}

type Verdict = Result<Decision<CartEvent>, CartRejection>;

impl Cart {
    pub(super) fn decide_command(&self, command: &CartCommand, context: &Context) -> Verdict {
        if let CartCommand::Create { currency, owner, metadata } = command {
            if self.exists() && !self.may_begin_again(*owner, context) {
                return Err(CartRejection::AlreadyExists);
            }
            let created = CartEvent::Created {
                owner: *owner,
                currency: *currency,
                metadata: metadata.clone(),
                lifetime: context.limits.cart_lifetime,
            };
            let left = (!self.lines.is_empty()).then_some(CartEvent::Cleared);
            return Ok(Decision::of(left.into_iter().chain([created]).collect()));
        }
        if !self.exists() || !self.may_be_changed_by(context.caller) {
            return Err(CartRejection::NotFound);
        }
        match command {
            CartCommand::Create { .. } => Err(CartRejection::AlreadyExists),
            CartCommand::PlaceOrder { order, payment } => self.place_order(*order, payment, context),
            CartCommand::AbortCheckout { order, refusal } => self.abort_checkout(*order, refusal),
            CartCommand::SettleCheckout { order } => Ok(self.settle_checkout(*order)),
            CartCommand::StartCheckout(terms) => {
                self.must_be_open(context)?;
                self.start_checkout(terms, context)
            }
            CartCommand::AddItem { sku, quantity, catalog } => {
                self.must_be_open(context)?;
                self.add(sku, *quantity, catalog, context).map(|event| Decision::of(vec![event]))
            }
            CartCommand::SetItem { sku, quantity, catalog } => {
                self.must_be_open(context)?;
                self.set(sku, *quantity, catalog, context)
                    .map(|event| Decision::of(event.into_iter().collect()))
            }
            CartCommand::RemoveItem { sku } => {
                self.must_be_open(context)?;
                self.remove(sku).map(|event| Decision::of(vec![event]))
            }
            CartCommand::Clear => {
                self.must_be_open(context)?;
                let anything = !self.lines.is_empty();
                Ok(Decision::of(anything.then_some(CartEvent::Cleared).into_iter().collect()))
            }
            CartCommand::Batch { mode, operations, catalog } => {
                self.must_be_open(context)?;
                self.batch(*mode, operations, catalog, context)
            }
        }
    }

    /// A shopper has one cart of their own for ever: when it has expired, it is made anew under its id.
    fn may_begin_again(&self, owner: Option<UserId>, context: &Context) -> bool {
        owner.is_some() && self.owner == owner && self.status(context.wall) == CartStatus::Expired
    }

    /// A guest's cart belongs to whoever knows its id; a shopper's to the shopper.
    pub fn may_be_changed_by(&self, caller: Caller) -> bool {
        self.owner.is_none_or(|owner| owned_by(owner, caller))
    }

    fn must_be_open(&self, context: &Context) -> Result<(), CartRejection> {
        match self.status(context.wall) {
            CartStatus::Open | CartStatus::Ordered => Ok(()),
            CartStatus::CheckingOut => Err(CartRejection::CheckingOut),
            CartStatus::Expired => Err(CartRejection::Expired),
        }
    }

    fn add(
        &self,
        sku: &Sku,
        quantity: u32,
        catalog: &Catalog,
        context: &Context,
    ) -> Result<CartEvent, CartRejection> {
        let unit_price = self.price(sku, catalog)?;
        let held = self.line(sku).map_or(0, |line| line.quantity);
        let sum = held.checked_add(quantity).ok_or(out_of_range(context))?;
        if quantity == 0 {
            return Err(out_of_range(context));
        }
        self.must_fit(sku, sum, unit_price, context)?;
        Ok(CartEvent::ItemAdded { sku: sku.clone(), quantity, unit_price })
    }

    fn set(
        &self,
        sku: &Sku,
        quantity: u32,
        catalog: &Catalog,
        context: &Context,
    ) -> Result<Option<CartEvent>, CartRejection> {
        if quantity == 0 {
            return Ok(self.remove(sku).ok());
        }
        let unit_price = self.price(sku, catalog)?;
        self.must_fit(sku, quantity, unit_price, context)?;
        Ok(Some(CartEvent::ItemQuantitySet { sku: sku.clone(), quantity, unit_price }))
    }

    fn remove(&self, sku: &Sku) -> Result<CartEvent, CartRejection> {
        self.line(sku).ok_or_else(|| CartRejection::ItemNotFound(sku.clone()))?;
        Ok(CartEvent::ItemRemoved { sku: sku.clone() })
    }

    fn price(&self, sku: &Sku, catalog: &Catalog) -> Result<i64, CartRejection> {
        let listing = catalog.listing(sku).ok_or_else(|| CartRejection::UnknownSku(sku.clone()))?;
        listing.price_in(self.currency).ok_or_else(|| CartRejection::NoPrice(sku.clone()))
    }

    /// A line of `quantity` at this price is within the limits, and so is the cart with it.
    fn must_fit(
        &self,
        sku: &Sku,
        quantity: u32,
        unit_price: i64,
        context: &Context,
    ) -> Result<(), CartRejection> {
        if quantity > context.limits.line_quantity {
            return Err(out_of_range(context));
        }
        if self.line(sku).is_none() && self.lines.len() >= context.limits.cart_lines {
            return Err(CartRejection::CartFull { limit: context.limits.cart_lines });
        }
        let others = self.lines.iter().filter(|line| line.sku != *sku);
        let totals = others.map(|line| line_total(line.unit_price, line.quantity));
        money::sum(totals.chain([line_total(unit_price, quantity)]))
            .map(|_| ())
            .ok_or(CartRejection::TotalTooLarge)
    }

    fn batch(
        &self,
        mode: BatchMode,
        operations: &[Operation],
        catalog: &Catalog,
        context: &Context,
    ) -> Verdict {
        let mut scratch = self.clone();
        let mut events = Vec::with_capacity(operations.len());
        let mut results = Vec::with_capacity(operations.len());
        for (index, operation) in operations.iter().enumerate() {
            match scratch.operate(operation, catalog, context) {
                Ok(event) => {
                    if let Some(event) = event {
                        scratch.apply_event(&event, context.wall);
                        events.push(event);
                    }
                    results.push(OperationOutcome::Applied);
                }
                Err(reason) if mode == BatchMode::Atomic => {
                    return Err(CartRejection::Batch { index, reason: Box::new(reason) });
                }
                Err(reason) => results.push(outcome_of(&reason)),
            }
        }
        Ok(Decision::of(events).answering(Outcome::Batch(results.into())))
    }

    fn operate(
        &self,
        operation: &Operation,
        catalog: &Catalog,
        context: &Context,
    ) -> Result<Option<CartEvent>, CartRejection> {
        let Operation { kind, sku, quantity } = operation;
        match kind {
            OperationKind::Add => self.add(sku, *quantity, catalog, context).map(Some),
            OperationKind::Set => self.set(sku, *quantity, catalog, context),
            OperationKind::Remove => self.remove(sku).map(Some),
        }
    }

    fn start_checkout(&self, terms: &CheckoutTerms, context: &Context) -> Verdict {
        if let Some(order) = self.order() {
            return Err(CartRejection::CartOrdered { order });
        }
        if self.checkout.is_some() {
            return Err(CartRejection::CheckoutUnderWay);
        }
        if self.lines.is_empty() {
            return Err(CartRejection::CartEmpty);
        }
        let (lines, total) = self.quote(&terms.catalog, terms.expected_total)?;
        let mut details = terms.details.clone();
        details.metadata = self.metadata.as_deref().map(str::to_owned);
        let checkout = Checkout {
            order: terms.order,
            phase: CheckoutPhase::Started,
            lines,
            total,
            details,
            payment: terms.payment.clone(),
            user: match context.caller {
                Caller::User(user) => Some(user),
                Caller::Guest | Caller::Service | Caller::Engine => None,
            },
            refusal: None,
            key: context.key,
        };
        Ok(Decision::of(vec![CartEvent::CheckoutStarted(Box::new(checkout))])
            .answering(Outcome::CheckoutStarted(terms.order)))
    }

    /// The lines at today's prices, sorted by SKU, and their total. Refused unless the shopper has agreed to that total, or
    /// named none and saw these prices.
    fn quote(
        &self,
        catalog: &Catalog,
        expected: Option<Money>,
    ) -> Result<(Vec<OrderLine>, i64), CartRejection> {
        let mut lines = Vec::with_capacity(self.lines.len());
        let (mut changes, mut withdrawn) = (Vec::new(), Vec::new());
        for Line { sku, quantity, unit_price: was } in &self.lines {
            let listed =
                catalog.listing(sku).and_then(|listing| Some((listing, listing.price_in(self.currency)?)));
            let Some((listing, now)) = listed else {
                withdrawn.push(Withdrawn { sku: sku.clone(), was: *was });
                continue;
            };
            if now != *was {
                changes.push(PriceChange { sku: sku.clone(), was: *was, now });
            }
            lines.push(OrderLine {
                sku: sku.clone(),
                name: listing.name.to_string(),
                quantity: *quantity,
                unit_price: now,
                line_total: line_total(now, *quantity).ok_or(CartRejection::TotalTooLarge)?,
            });
        }
        if !withdrawn.is_empty() {
            return Err(CartRejection::ProductUnavailable(withdrawn));
        }
        let total =
            money::sum(lines.iter().map(|line| Some(line.line_total))).ok_or(CartRejection::TotalTooLarge)?;
        let agreed = match expected {
            Some(expected) => expected == Money::new(total, self.currency),
            None => changes.is_empty(),
        };
        if !agreed {
            let was = self.subtotal().ok_or(CartRejection::TotalTooLarge)?;
            let total = TotalChange { currency: self.currency, was, now: total };
            return Err(CartRejection::PriceChanged(Box::new(ChangedPrices { changes, total })));
        }
        lines.sort_by(|a, b| a.sku.cmp(&b.sku));
        Ok((lines, total))
    }

    fn place_order(&self, order: OrderId, payment: &Authorization, context: &Context) -> Verdict {
        let checkout = self.checkout_of(order)?;
        match checkout.phase {
            CheckoutPhase::Placed => return Ok(Decision::nothing(Outcome::Ordered(order))),
            CheckoutPhase::Aborted => return Err(CartRejection::NoSuchCheckout),
            CheckoutPhase::Started => {}
        }
        let placed = Order {
            id: order,
            version: 1,
            status: OrderStatus::Placed,
            cart: self.id,
            user: checkout.user.or(self.owner),
            currency: self.currency,
            lines: checkout.lines.clone(),
            total: checkout.total,
            details: checkout.details.clone(),
            payment: payment.clone(),
            history: vec![StatusChange { status: OrderStatus::Placed, at: context.wall }],
            placed_at: context.wall,
        };
        Ok(Decision {
            events: vec![CartEvent::CheckoutPlaced { order: Arc::new(placed) }],
            outcome: Outcome::Ordered(order),
            settles: checkout.key,
        })
    }

    fn abort_checkout(&self, order: OrderId, refusal: &AbortReason) -> Verdict {
        let checkout = self.checkout_of(order)?;
        let outcome = Outcome::CheckoutRefused(order, Box::new(refusal.clone()));
        match checkout.phase {
            CheckoutPhase::Aborted => Ok(Decision::nothing(outcome)),
            CheckoutPhase::Placed => Err(CartRejection::NoSuchCheckout),
            CheckoutPhase::Started => Ok(Decision {
                events: vec![CartEvent::CheckoutAborted { order, refusal: refusal.clone() }],
                outcome,
                settles: checkout.key,
            }),
        }
    }

    fn settle_checkout(&self, order: OrderId) -> Decision<CartEvent> {
        let decided = |checkout: &&Checkout| checkout.phase != CheckoutPhase::Started;
        match self.checkout_of(order).ok().filter(decided) {
            Some(_) => Decision::of(vec![CartEvent::CheckoutSettled { order }]),
            None => Decision::nothing(Outcome::Applied),
        }
    }

    fn checkout_of(&self, order: OrderId) -> Result<&Checkout, CartRejection> {
        self.checkout
            .as_deref()
            .filter(|checkout| checkout.order == order)
            .ok_or(CartRejection::NoSuchCheckout)
    }
}

fn owned_by(owner: UserId, caller: Caller) -> bool {
    match caller {
        Caller::User(user) => user == owner,
        Caller::Service | Caller::Engine => true,
        Caller::Guest => false,
    }
}

const fn out_of_range(context: &Context) -> CartRejection {
    CartRejection::QuantityOutOfRange { limit: context.limits.line_quantity }
}

const fn outcome_of(reason: &CartRejection) -> OperationOutcome {
    match reason {
        CartRejection::CartFull { .. } => OperationOutcome::CartFull,
        CartRejection::UnknownSku(_) => OperationOutcome::UnknownSku,
        CartRejection::NoPrice(_) => OperationOutcome::NoPrice,
        CartRejection::ItemNotFound(_) => OperationOutcome::ItemNotFound,
        _ => OperationOutcome::QuantityTooLarge,
    }
}
