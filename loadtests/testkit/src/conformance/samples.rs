//! Carts, stock, orders as the rules make them: entities go through their own events.

use std::sync::Arc;

use smartcart_domain::{
    cart::{Cart, CartEvent, Checkout, CheckoutPhase},
    catalog::{Product, Variant},
    change::{Change, Subject},
    entry::{Entry, Lane},
    id::{CartId, HoldId, IncarnationId, OrderId, Sku, UserId},
    idempotency::{IdempotencyWindow, KeyRecord, Outcome},
    inventory::{Adjustment, Stock, StockEvent},
    money::Money,
    orders::{CheckoutDetails, Order, OrderLine, OrderStatus, StatusChange},
    payment::{Authorization, PaymentMethod},
    time::{Seconds, ShopTime, Timestamp},
    users::User,
};
use smartcart_engine::entity::Resident;
use smartcart_engine::store::{Row, TableBatch};

pub fn sku(text: &str) -> Sku {
    text.parse().unwrap()
}

/// An entity and everything that happened to it.
#[derive(Debug)]
pub struct Life<E> {
    pub entity: E,
    pub keys: IdempotencyWindow,
    pub changes: Vec<Change>,
}

impl<E: Resident> Life<E> {
    fn new(id: &E::Id) -> Self {
        Self { entity: E::absent(id), keys: IdempotencyWindow::default(), changes: Vec::new() }
    }

    fn live(mut self, id: &E::Id, events: Vec<E::Event>) -> Self {
        let version = self.entity.version() + 1;
        let at = i64::try_from(version).unwrap() * 1000;
        let key = KeyRecord {
            key: u128::from(version),
            request: version,
            at: ShopTime(at),
            outcome: Outcome::Applied,
        };
        self.entity.advance(&events, Timestamp(at));
        self.keys.remember(key.clone());
        self.changes.push(Change {
            subject: E::subject(id, events),
            version,
            wall: Timestamp(at),
            shop: ShopTime(at),
            key: Some(key),
        });
        self
    }

    /// The whole entity.
    pub fn snapshot(&self) -> Row {
        let view = self.entity.view();
        Row { snapshot: Some(self.entity.snapshot(&view, &self.keys)), tail: Vec::new(), ..self.tail(0) }
    }

    /// What happened after a version.
    pub fn tail(&self, after: u64) -> Row {
        let view = self.entity.view();
        let subject = &self.changes[0];
        Row {
            entity: subject.entity(),
            version: self.entity.version(),
            columns: self.entity.indexed_columns(&view),
            snapshot: None,
            tail: self.changes.iter().filter(|change| change.version > after).cloned().collect(),
        }
    }
}

pub fn cart(id: u128) -> Life<Cart> {
    Life::<Cart>::new(&CartId(id)).live(
        &CartId(id),
        vec![CartEvent::Created {
            owner: Some(UserId(77)),
            currency: "GBP".parse().unwrap(),
            metadata: Some("{\"channel\":\"web\"}".into()),
            lifetime: Seconds(3600),
        }],
    )
}

impl Life<Cart> {
    pub fn id(&self) -> CartId {
        self.entity.id
    }

    pub fn adding(self, text: &str, quantity: u32) -> Self {
        let id = self.entity.id;
        self.live(&id, vec![CartEvent::ItemAdded { sku: sku(text), quantity, unit_price: 295 }])
    }

    pub fn checking_out(self, order: u128) -> Self {
        let id = self.entity.id;
        let checkout = Checkout {
            order: OrderId(order),
            phase: CheckoutPhase::Started,
            lines: lines(),
            total: 1475,
            details: CheckoutDetails::default(),
            payment: PaymentMethod { method: "invoice".to_owned(), token: None },
            user: None,
            refusal: None,
            key: None,
        };
        self.live(&id, vec![CartEvent::CheckoutStarted(Box::new(checkout))])
    }

    pub fn placing(self, order: &Order) -> Self {
        let id = self.entity.id;
        self.live(&id, vec![CartEvent::CheckoutPlaced { order: Arc::new(order.clone()) }])
    }

    pub fn settled(self, order: u128) -> Self {
        let id = self.entity.id;
        self.live(&id, vec![CartEvent::CheckoutSettled { order: OrderId(order) }])
    }
}

pub fn stock(text: &str, units: i64) -> Life<Stock> {
    let id = sku(text);
    Life::<Stock>::new(&id).live(&id, vec![StockEvent::Adjusted { delta: units, cause: Adjustment::Counted }])
}

impl Life<Stock> {
    pub fn holding(self, hold: u128, quantity: u32, deadline: i64) -> Self {
        let id = self.entity.sku.clone();
        let placed = StockEvent::HoldPlaced {
            id: HoldId(hold),
            quantity,
            deadline: ShopTime(deadline),
            checkout: Some(CartId(1)),
        };
        self.live(&id, vec![placed])
    }

    pub fn selling(self, hold: u128) -> Self {
        let id = self.entity.sku.clone();
        self.live(&id, vec![StockEvent::HoldSold { id: HoldId(hold) }])
    }
}

pub fn lines() -> Vec<OrderLine> {
    vec![OrderLine {
        sku: sku("85123A"),
        name: "WHITE HANGING HEART T-LIGHT HOLDER, \"large\"".to_owned(),
        quantity: 5,
        unit_price: 295,
        line_total: 1475,
    }]
}

pub fn order(id: u128, cart: u128, placed_at: i64) -> Order {
    Order {
        id: OrderId(id),
        version: 1,
        status: OrderStatus::Placed,
        cart: CartId(cart),
        user: Some(UserId(77)),
        currency: "GBP".parse().unwrap(),
        lines: lines(),
        total: 1475,
        details: CheckoutDetails {
            email: Some("ada@example.com".to_owned()),
            shipping_address: Some("{\"country\":\"GB\"}".to_owned()),
            metadata: None,
        },
        payment: Authorization { method: "invoice".to_owned(), reference: "r-1".to_owned() },
        history: vec![StatusChange { status: OrderStatus::Placed, at: Timestamp(placed_at) }],
        placed_at: Timestamp(placed_at),
    }
}

pub fn product(id: &str, skus: &[&str]) -> Product {
    let variant = |text: &&str| Variant {
        sku: sku(text),
        attributes: [("size".to_owned(), "large".to_owned())].into(),
        prices: vec![Money::new(295, "GBP".parse().unwrap()), Money::new(395, "USD".parse().unwrap())],
    };
    Product {
        id: id.parse().unwrap(),
        version: 0,
        name: "Holder".to_owned(),
        description: "Holds a light".to_owned(),
        category: "Lighting".to_owned(),
        images: vec!["https://shop.example/holder.jpg".to_owned()],
        variants: skus.iter().map(variant).collect(),
        updated_at: Timestamp(1_000),
    }
}

pub fn user(id: u128, email: &str) -> User {
    User {
        id: UserId(id),
        version: 1,
        email: email.to_owned(),
        name: "Ada".to_owned(),
        password_hash: "$argon2id$x".to_owned(),
        created_at: Timestamp(5),
    }
}

pub fn rows(rows: impl IntoIterator<Item = Row>) -> TableBatch {
    TableBatch { rows: rows.into_iter().map(Arc::new).collect(), ..TableBatch::default() }
}

/// An entry that is easy to tell from others.
pub fn entry(incarnation: u128, lane: u16, sequence: u64) -> Entry {
    let quantity = u32::try_from(sequence).unwrap();
    let added = CartEvent::ItemAdded { sku: sku("85123A"), quantity, unit_price: 295 };
    Entry {
        incarnation: IncarnationId(incarnation),
        lane: Lane(lane),
        sequence,
        shop: ShopTime(i64::from(quantity)),
        changes: vec![Change {
            subject: Subject::Cart(CartId(u128::from(lane)), vec![added]),
            version: sequence,
            wall: Timestamp(1_700_000_000_000),
            shop: ShopTime(i64::from(quantity)),
            key: None,
        }],
    }
}
