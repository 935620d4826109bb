//! Carts and stock as the rules make them: entities go through their own events.

use std::sync::Arc;

use smartcart_domain::{
    cart::{Cart, CartEvent, Checkout, CheckoutPhase},
    change::{Change, Subject},
    entity::Entity,
    entry::{Entry, Lane},
    id::{CartId, HoldId, IncarnationId, OrderId, Sku, UserId},
    idempotency::{KeyRecord, Outcome},
    inventory::{Adjustment, Stock, StockEvent},
    orders::{CheckoutDetails, Order, OrderLine, OrderStatus, StatusChange},
    payment::{Authorization, PaymentMethod},
    snapshot::{CartSnapshot, StockSnapshot},
    time::{Seconds, ShopTime, Timestamp},
};

/// An entity and everything that happened to it.
pub(crate) struct Life<E> {
    entity: E,
    keys: Vec<KeyRecord>,
    pub(crate) changes: Vec<Change>,
}

impl<E: Entity> Life<E> {
    fn new(id: &E::Id) -> Self {
        Self { entity: E::absent(id), keys: Vec::new(), changes: Vec::new() }
    }

    fn live(mut self, events: Vec<E::Event>, subject: impl FnOnce(Vec<E::Event>) -> Subject) -> Self {
        let version = self.entity.version() + 1;
        let at = i64::try_from(version).unwrap() * 1000;
        let key = KeyRecord {
            key: u128::from(version),
            request: version,
            at: ShopTime(at),
            outcome: Outcome::Applied,
        };
        self.entity.advance(&events, Timestamp(at));
        self.keys.push(key.clone());
        self.changes.push(Change {
            subject: subject(events),
            version,
            wall: Timestamp(at),
            shop: ShopTime(at),
            key: Some(key),
        });
        self
    }
}

const CART: CartId = CartId(1);

/// A cart that was filled, and whose checkout has come to its end.
pub(crate) fn cart(order: &Order) -> Life<Cart> {
    let checkout = Checkout {
        order: order.id,
        phase: CheckoutPhase::Started,
        lines: order.lines.clone(),
        total: 1475,
        details: CheckoutDetails::default(),
        payment: PaymentMethod { method: "invoice".to_owned(), token: None },
        user: None,
        refusal: None,
        key: None,
    };
    [
        CartEvent::Created {
            owner: Some(UserId(77)),
            currency: "GBP".parse().unwrap(),
            metadata: Some("{\"channel\":\"web\"}".into()),
            lifetime: Seconds(3600),
        },
        CartEvent::ItemAdded { sku: sku(), quantity: 5, unit_price: 295 },
        CartEvent::CheckoutStarted(Box::new(checkout)),
        CartEvent::CheckoutPlaced { order: Arc::new(order.clone()) },
        CartEvent::CheckoutSettled { order: order.id },
    ]
    .into_iter()
    .fold(Life::<Cart>::new(&CART), |life, event| {
        life.live(vec![event], |events| Subject::Cart(CART, events))
    })
}

impl Life<Cart> {
    pub(crate) fn snapshot(&self) -> CartSnapshot {
        CartSnapshot { cart: Arc::new(self.entity.clone()), keys: self.keys.clone() }
    }
}

/// A stock of which some was sold and some is held.
pub(crate) fn stock() -> Life<Stock> {
    let held = |hold, deadline| StockEvent::HoldPlaced {
        id: HoldId(hold),
        quantity: 5,
        deadline: ShopTime(deadline),
        checkout: Some(CART),
    };
    [
        StockEvent::Adjusted { delta: 40, cause: Adjustment::Counted },
        held(5, 60_000),
        StockEvent::HoldSold { id: HoldId(5) },
        held(7, 70_000),
    ]
    .into_iter()
    .fold(Life::<Stock>::new(&sku()), |life, event| {
        life.live(vec![event], |events| Subject::Stock(sku(), events))
    })
}

impl Life<Stock> {
    pub(crate) fn snapshot(&self) -> StockSnapshot {
        StockSnapshot { stock: self.entity.clone(), keys: self.keys.clone() }
    }
}

pub(crate) fn sku() -> Sku {
    "85123A".parse().unwrap()
}

pub(crate) fn order() -> Order {
    Order {
        id: OrderId(5),
        version: 1,
        status: OrderStatus::Placed,
        cart: CART,
        user: Some(UserId(77)),
        currency: "GBP".parse().unwrap(),
        lines: vec![OrderLine {
            sku: sku(),
            name: "WHITE HANGING HEART T-LIGHT HOLDER, \"large\"".to_owned(),
            quantity: 5,
            unit_price: 295,
            line_total: 1475,
        }],
        total: 1475,
        details: CheckoutDetails {
            email: Some("ada@example.com".to_owned()),
            shipping_address: Some("{\"country\":\"GB\"}".to_owned()),
            metadata: None,
        },
        payment: Authorization { method: "invoice".to_owned(), reference: "r-1".to_owned() },
        history: vec![StatusChange { status: OrderStatus::Placed, at: Timestamp(10) }],
        placed_at: Timestamp(10),
    }
}

/// Entry 3 of lane 2 of journal 1.
pub(crate) fn entry() -> Entry {
    Entry {
        incarnation: IncarnationId(1),
        lane: Lane(2),
        sequence: 3,
        shop: ShopTime(3),
        changes: vec![Change {
            subject: Subject::Cart(
                CartId(2),
                vec![CartEvent::ItemAdded { sku: sku(), quantity: 3, unit_price: 295 }],
            ),
            version: 3,
            wall: Timestamp(1_700_000_000_000),
            shop: ShopTime(3),
            key: None,
        }],
    }
}
