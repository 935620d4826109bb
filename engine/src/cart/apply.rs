//! What an event does to a cart, and what makes a cart a live entity.

use std::sync::Arc;

use super::{Cart, CartCommand, CartEvent, CartRejection, Checkout, CheckoutPhase, Line};
use crate::{
    checkout::CheckoutRefusal,
    commit::{CartImage, Change, EntityKey, Header, Image, Subject},
    entity::{Context, Decision, Entity},
    id::{CartId, OrderId, Sku},
    idempotency::KeyRing,
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
                self.last_order = Some(order.id);
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

    fn turn(&mut self, order: OrderId, phase: CheckoutPhase, refusal: Option<CheckoutRefusal>) {
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
    type View = Arc<Self>;
    type Rest = ();

    const KIND: &'static str = "cart";
    const BUSY: &'static str = "busy_cart";

    fn absent(id: &CartId) -> Self {
        Self::never_created(*id)
    }

    fn begins(command: &CartCommand) -> bool {
        matches!(command, CartCommand::Create { .. })
    }

    fn visible(&self) -> bool {
        self.exists()
    }

    fn key(id: &CartId) -> EntityKey {
        EntityKey::Cart(*id)
    }

    fn subject(id: &CartId, events: Vec<CartEvent>) -> Subject {
        Subject::Cart(*id, events)
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

    fn events(change: &Change) -> Option<&[CartEvent]> {
        match &change.subject {
            Subject::Cart(_, events) => Some(events),
            Subject::Stock(..) => None,
        }
    }

    fn view(&self) -> Arc<Self> {
        Arc::new(self.clone())
    }

    fn version_of(view: &Arc<Self>) -> u64 {
        view.version
    }

    fn header(&self, view: &Arc<Self>) -> Header {
        Header::Cart(view.clone())
    }

    fn image(&self, view: &Arc<Self>, keys: &KeyRing) -> Image {
        Image::Cart(CartImage { cart: view.clone(), keys: keys.iter().cloned().collect() })
    }

    fn weight(&self) -> usize {
        self.lines.len()
    }

    fn next_deadline(&self) -> Option<ShopTime> {
        None
    }

    fn footprint(&self) -> usize {
        let texts = self.metadata.as_deref().map_or(0, str::len);
        let checkout = self.checkout.as_deref().map_or(0, |checkout| 512 + checkout.lines.len() * 128);
        320 + self.lines.len() * size_of::<Line>() + texts + checkout
    }

    fn rest(self) {}

    fn wake(_: &CartId, view: &Arc<Self>, (): ()) -> Self {
        Self::clone(view)
    }
}
