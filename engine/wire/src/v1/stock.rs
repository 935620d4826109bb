use smartcart_domain::snapshot;
use smartcart_domain::{
    id::{CartId, HoldId, OrderId},
    inventory::{self, Adjustment as LiveAdjustment, StockEvent as LiveEvent, StockLevel},
    time::ShopTime,
};

use super::{
    field::{Id, Nothing, id, required, sku},
    outcome::KeyRecord,
};
use crate::malformed::Malformed;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StockSnapshot {
    #[prost(string, tag = "1")]
    sku: String,
    #[prost(uint64, tag = "2")]
    version: u64,
    #[prost(int64, tag = "3")]
    on_hand: i64,
    #[prost(int64, tag = "4")]
    held: i64,
    #[prost(int64, tag = "5")]
    sold: i64,
    #[prost(int64, tag = "6")]
    stocked: i64,
    /// In the order of their ids.
    #[prost(message, repeated, tag = "7")]
    holds: Vec<Hold>,
    #[prost(message, repeated, tag = "8")]
    keys: Vec<KeyRecord>,
    /// Cancelled orders whose restock is remembered, in order.
    #[prost(message, repeated, tag = "9")]
    restocked: Vec<Id>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Hold {
    #[prost(message, optional, tag = "1")]
    id: Option<Id>,
    #[prost(uint32, tag = "2")]
    quantity: u32,
    #[prost(int64, tag = "3")]
    deadline: i64,
    #[prost(message, optional, tag = "4")]
    checkout: Option<Id>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StockEvent {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 7")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Adjusted(Adjusted),
    #[prost(message, tag = "2")]
    HoldPlaced(Hold),
    #[prost(message, tag = "3")]
    HoldExtended(HoldExtended),
    #[prost(message, tag = "4")]
    HoldReleased(Id),
    #[prost(message, tag = "5")]
    HoldExpired(Id),
    #[prost(message, tag = "6")]
    HoldSold(Id),
    #[prost(message, tag = "7")]
    Restocked(Restocked),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Adjusted {
    #[prost(sint64, tag = "1")]
    delta: i64,
    #[prost(oneof = "Adjustment", tags = "2, 3")]
    cause: Option<Adjustment>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Adjustment {
    #[prost(message, tag = "2")]
    Counted(Nothing),
    #[prost(string, tag = "3")]
    Reason(String),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct HoldExtended {
    #[prost(message, optional, tag = "1")]
    id: Option<Id>,
    #[prost(int64, tag = "2")]
    deadline: i64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Restocked {
    #[prost(message, optional, tag = "1")]
    order: Option<Id>,
    #[prost(uint32, tag = "2")]
    quantity: u32,
    #[prost(bool, tag = "3")]
    remembered: bool,
    /// Nothing came back: the order is forgotten. A version that does not know this adds nothing to the shelf.
    #[prost(bool, tag = "4")]
    forgotten: bool,
}

impl From<&snapshot::StockSnapshot> for StockSnapshot {
    fn from(snapshot: &snapshot::StockSnapshot) -> Self {
        let StockLevel { version, on_hand, held, sold, stocked } = snapshot.stock.level;
        let mut holds: Vec<_> = snapshot.stock.holds().collect();
        holds.sort_unstable_by_key(|(id, _)| *id);
        let holds = holds
            .into_iter()
            .map(|(id, hold)| Hold {
                id: Some(Id::new(id.0)),
                quantity: hold.quantity,
                deadline: hold.deadline.0,
                checkout: hold.checkout.map(|cart| Id::new(cart.0)),
            })
            .collect();
        let keys = snapshot.keys.iter().map(Into::into).collect();
        let restocked = snapshot.stock.restocked().map(|order| Id::new(order.0)).collect();
        let sku = snapshot.stock.sku.to_string();
        Self { sku, version, on_hand, held, sold, stocked, holds, keys, restocked }
    }
}

impl TryFrom<StockSnapshot> for snapshot::StockSnapshot {
    type Error = Malformed;
    fn try_from(snapshot: StockSnapshot) -> Result<Self, Malformed> {
        let StockSnapshot { version, on_hand, held, sold, stocked, .. } = snapshot;
        let level = StockLevel { version, on_hand, held, sold, stocked };
        let hold = |hold: Hold| {
            let live = inventory::Hold {
                quantity: hold.quantity,
                deadline: ShopTime(hold.deadline),
                checkout: hold.checkout.map(|cart| CartId(cart.get())),
            };
            Ok::<_, Malformed>((HoldId(id(hold.id, "a hold's id")?), live))
        };
        let holds = snapshot.holds.into_iter().map(hold).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            stock: inventory::Stock::restore(sku(&snapshot.sku)?, level, holds)
                .remembering(snapshot.restocked.into_iter().map(|order| OrderId(order.get()))),
            keys: snapshot.keys.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        })
    }
}

impl From<&LiveEvent> for StockEvent {
    fn from(event: &LiveEvent) -> Self {
        let kind = match event {
            LiveEvent::Adjusted { delta, cause } => {
                let cause = match cause {
                    LiveAdjustment::Counted => Adjustment::Counted(Nothing {}),
                    LiveAdjustment::Reason(reason) => Adjustment::Reason(reason.to_string()),
                };
                Kind::Adjusted(Adjusted { delta: *delta, cause: Some(cause) })
            }
            LiveEvent::HoldPlaced { id, quantity, deadline, checkout } => Kind::HoldPlaced(Hold {
                id: Some(Id::new(id.0)),
                quantity: *quantity,
                deadline: deadline.0,
                checkout: checkout.map(|cart| Id::new(cart.0)),
            }),
            LiveEvent::HoldExtended { id, deadline } => {
                Kind::HoldExtended(HoldExtended { id: Some(Id::new(id.0)), deadline: deadline.0 })
            }
            LiveEvent::HoldReleased { id } => Kind::HoldReleased(Id::new(id.0)),
            LiveEvent::HoldExpired { id } => Kind::HoldExpired(Id::new(id.0)),
            LiveEvent::HoldSold { id } => Kind::HoldSold(Id::new(id.0)),
            LiveEvent::Restocked { order, quantity, remembered } => Kind::Restocked(Restocked {
                order: Some(Id::new(order.0)),
                quantity: *quantity,
                remembered: *remembered,
                forgotten: false,
            }),
            LiveEvent::RestockForgotten { order } => Kind::Restocked(Restocked {
                order: Some(Id::new(order.0)),
                quantity: 0,
                remembered: false,
                forgotten: true,
            }),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<StockEvent> for LiveEvent {
    type Error = Malformed;
    fn try_from(event: StockEvent) -> Result<Self, Malformed> {
        Ok(match required(event.kind, "a stock event")? {
            Kind::Adjusted(adjusted) => Self::Adjusted {
                delta: adjusted.delta,
                cause: match required(adjusted.cause, "an adjustment's cause")? {
                    Adjustment::Counted(Nothing {}) => LiveAdjustment::Counted,
                    Adjustment::Reason(reason) => LiveAdjustment::Reason(reason.into()),
                },
            },
            Kind::HoldPlaced(hold) => Self::HoldPlaced {
                id: HoldId(id(hold.id, "a hold's id")?),
                quantity: hold.quantity,
                deadline: ShopTime(hold.deadline),
                checkout: hold.checkout.map(|cart| CartId(cart.get())),
            },
            Kind::HoldExtended(extended) => Self::HoldExtended {
                id: HoldId(id(extended.id, "a hold's id")?),
                deadline: ShopTime(extended.deadline),
            },
            Kind::HoldReleased(hold) => Self::HoldReleased { id: HoldId(hold.get()) },
            Kind::HoldExpired(hold) => Self::HoldExpired { id: HoldId(hold.get()) },
            Kind::HoldSold(hold) => Self::HoldSold { id: HoldId(hold.get()) },
            Kind::Restocked(restocked) => {
                let Restocked { order, quantity, remembered, forgotten } = restocked;
                let order = OrderId(id(order, "an order's id")?);
                if forgotten {
                    Self::RestockForgotten { order }
                } else {
                    Self::Restocked { order, quantity, remembered }
                }
            }
        })
    }
}
