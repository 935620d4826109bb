//! What an event does to a cart.

use super::{Cart, CartCommand, CartEvent, CartRejection, Checkout, CheckoutPhase, LastOrder, Line};
use crate::{
    checkout::AbortReason,
    entity::{Context, Decision, Entity},
    id::{CartId, OrderId, Sku},
    time::{ShopTime, Timestamp},
};

impl Cart {
    pub(super) fn apply_event(&mut self, event: &CartEvent, wall: Timestamp) {
        match event {
            CartEvent::Created { owner, currency, metadata, lifetime } => {
                self.owner = *owner;
                self.currency = *currency;
                self.metadata.clone_from(metadata);
                self.created_at = wall;
                self.lifetime = *lifetime;
            }
            CartEvent::ItemAdded { sku, quantity, unit_price } => {
                let before = self.line(sku).map_or(0, |line| line.quantity);
                self.put_line(sku, before + quantity, *unit_price);
            }
            CartEvent::ItemQuantitySet { sku, quantity, unit_price } => {
                self.put_line(sku, *quantity, *unit_price);
            }
            CartEvent::ItemRemoved { sku } => {
                self.change_lines(|lines| lines.retain(|line| line.sku != *sku));
            }
            CartEvent::Cleared => self.lines = Box::default(),
            CartEvent::CheckoutStarted(checkout) => self.checkout = Some(checkout.clone()),
            CartEvent::CheckoutPlaced { order } => {
                self.lines = Box::default();
                let last = LastOrder { id: order.id, placed_at: Some(order.placed_at), is_current: true };
                self.last_order = Some(Box::new(last));
                self.turn(order.id, CheckoutPhase::Placed, None);
            }
            CartEvent::CheckoutAborted { order, refusal } => {
                self.turn(*order, CheckoutPhase::Aborted, Some(refusal.clone()));
            }
            CartEvent::CheckoutSettled { .. } => self.checkout = None,
        }
        self.updated_at = wall;
        self.expires_at = wall.plus(self.lifetime.into());
    }

    fn put_line(&mut self, sku: &Sku, quantity: u32, unit_price: i64) {
        if let Some(last) = self.last_order.as_deref_mut() {
            last.is_current = false;
        }
        match self.lines.iter_mut().find(|line| line.sku == *sku) {
            Some(line) => {
                line.quantity = quantity;
                line.unit_price = unit_price;
            }
            None => self.change_lines(|lines| {
                lines.reserve_exact(1);
                lines.push(Line { sku: sku.clone(), quantity, unit_price });
            }),
        }
    }

    /// The lines are kept as exactly as many as they are: most carts are at rest most of the time.
    fn change_lines(&mut self, change: impl FnOnce(&mut Vec<Line>)) {
        let mut lines = std::mem::take(&mut self.lines).into_vec();
        change(&mut lines);
        self.lines = lines.into_boxed_slice();
    }

    fn turn(&mut self, order: OrderId, phase: CheckoutPhase, refusal: Option<AbortReason>) {
        if let Some(checkout) =
            self.checkout.as_deref_mut().filter(|checkout: &&mut Checkout| checkout.order == order)
        {
            checkout.phase = phase;
            checkout.refusal = refusal;
        }
    }
}

impl Entity for Cart {
    type Id = CartId;
    type Command = CartCommand;
    type Event = CartEvent;
    type Rejection = CartRejection;

    fn absent(id: &CartId) -> Self {
        Self::never_created(*id)
    }

    fn begins(command: &CartCommand) -> bool {
        matches!(command, CartCommand::Create { .. })
    }

    fn visible(&self) -> bool {
        self.exists()
    }

    fn decide(&self, command: &CartCommand, context: &Context) -> Result<Decision<CartEvent>, CartRejection> {
        self.decide_command(command, context)
    }

    fn apply(&mut self, event: &CartEvent, wall: Timestamp) {
        self.apply_event(event, wall);
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn set_version(&mut self, version: u64) {
        self.version = version;
    }

    fn next_deadline(&self) -> Option<ShopTime> {
        None
    }
}
