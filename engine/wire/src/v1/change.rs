use smartcart_domain::change;
use smartcart_domain::{
    change::Subject,
    id::CartId,
    time::{ShopTime, Timestamp},
};

use super::{
    cart::CartEvent,
    field::{Id, required, sku},
    outcome::KeyRecord,
    stock::StockEvent,
};
use crate::malformed::Malformed;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct EntryBody {
    #[prost(int64, tag = "1")]
    pub(crate) shop: i64,
    #[prost(message, repeated, tag = "2")]
    pub(crate) changes: Vec<Change>,
}

/// The changes of one flush of one entity.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Changes {
    #[prost(message, repeated, tag = "1")]
    pub(crate) changes: Vec<Change>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Change {
    #[prost(oneof = "Entity", tags = "1, 2")]
    entity: Option<Entity>,
    #[prost(uint64, tag = "3")]
    version: u64,
    #[prost(int64, tag = "4")]
    wall: i64,
    #[prost(int64, tag = "5")]
    shop: i64,
    #[prost(message, optional, tag = "6")]
    key: Option<KeyRecord>,
    #[prost(message, repeated, tag = "7")]
    cart: Vec<CartEvent>,
    #[prost(message, repeated, tag = "8")]
    stock: Vec<StockEvent>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Entity {
    #[prost(message, tag = "1")]
    Cart(Id),
    #[prost(string, tag = "2")]
    Stock(String),
}

impl From<&change::Change> for Change {
    fn from(change: &change::Change) -> Self {
        let (entity, cart, stock) = match &change.subject {
            Subject::Cart(id, events) => {
                (Entity::Cart(Id::new(id.0)), events.iter().map(Into::into).collect(), Vec::new())
            }
            Subject::Stock(sku, events) => {
                (Entity::Stock(sku.to_string()), Vec::new(), events.iter().map(Into::into).collect())
            }
        };
        Self {
            entity: Some(entity),
            version: change.version,
            wall: change.wall.0,
            shop: change.shop.0,
            key: change.key.as_ref().map(Into::into),
            cart,
            stock,
        }
    }
}

impl TryFrom<Change> for change::Change {
    type Error = Malformed;
    fn try_from(change: Change) -> Result<Self, Malformed> {
        let subject = match required(change.entity, "the entity of a change")? {
            Entity::Cart(id) => Subject::Cart(
                CartId(id.get()),
                change.cart.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            ),
            Entity::Stock(text) => Subject::Stock(
                sku(&text)?,
                change.stock.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            ),
        };
        Ok(Self {
            subject,
            version: change.version,
            wall: Timestamp(change.wall),
            shop: ShopTime(change.shop),
            key: change.key.map(TryInto::try_into).transpose()?,
        })
    }
}
