use std::sync::Arc;

use smartcart_domain::{
    id::{CartId, OrderId, UserId},
    orders::{CheckoutDetails, Order, OrderStatus},
    payment::Authorization,
    time::{ShopTime, Timestamp},
};
use smartcart_engine::store::{DueRestock, StoreError};

use crate::{
    columns::{id_of, unsigned},
    error::corrupt,
    rows::json::{decode_history, decode_lines, encode_history, encode_lines},
};

/// An order and the two of its columns that are JSON.
pub(crate) struct OrderRow<'a> {
    pub(crate) order: &'a Order,
    pub(crate) lines: String,
    pub(crate) history: String,
}

pub(crate) fn order_rows(orders: &[Arc<Order>]) -> Result<Vec<OrderRow<'_>>, StoreError> {
    orders.iter().map(|order| order_row(order)).collect()
}

fn order_row(order: &Order) -> Result<OrderRow<'_>, StoreError> {
    let damaged = |error| corrupt(format!("order {}", order.id))(error);
    let lines = encode_lines(&order.lines).map_err(damaged)?;
    let history = encode_history(&order.history).map_err(damaged)?;
    Ok(OrderRow { order, lines, history })
}

/// A row of `shop_order`.
#[derive(sqlx::FromRow)]
pub(crate) struct OrderColumns {
    pub(crate) id: Vec<u8>,
    pub(crate) version: i64,
    pub(crate) status: String,
    pub(crate) cart: Vec<u8>,
    pub(crate) user: Option<Vec<u8>>,
    pub(crate) currency: String,
    pub(crate) total: i64,
    pub(crate) lines: String,
    pub(crate) email: Option<String>,
    pub(crate) shipping_address: Option<String>,
    pub(crate) metadata: Option<String>,
    pub(crate) payment_method: String,
    pub(crate) payment_reference: String,
    pub(crate) history: String,
    pub(crate) placed_at: i64,
}

/// A row of `shop_order` that is to be restocked.
#[derive(sqlx::FromRow)]
pub(crate) struct RestockColumns {
    #[sqlx(flatten)]
    pub(crate) order: OrderColumns,
    pub(crate) restock_at: i64,
    pub(crate) restock_tries: i64,
    pub(crate) units_returned: bool,
}

impl TryFrom<RestockColumns> for DueRestock {
    type Error = StoreError;
    fn try_from(row: RestockColumns) -> Result<Self, StoreError> {
        Ok(Self {
            order: row.order.try_into()?,
            at: ShopTime(row.restock_at),
            tries: u32::try_from(row.restock_tries).unwrap_or(u32::MAX),
            units_returned: row.units_returned,
        })
    }
}

impl TryFrom<OrderColumns> for Order {
    type Error = StoreError;
    fn try_from(row: OrderColumns) -> Result<Self, StoreError> {
        let id = OrderId(id_of(&row.id)?);
        let damaged = |what: &str| StoreError::Corrupt(format!("order {id}: {what}"));
        Ok(Self {
            id,
            version: unsigned(row.version),
            status: OrderStatus::parse(&row.status).ok_or_else(|| damaged("its status is unknown"))?,
            cart: CartId(id_of(&row.cart)?),
            user: row.user.map(|user| id_of(&user)).transpose()?.map(UserId),
            currency: row.currency.parse().map_err(|_| damaged("its currency is unknown"))?,
            lines: decode_lines(&row.lines).map_err(corrupt(format!("order {id}")))?,
            total: row.total,
            details: CheckoutDetails {
                email: row.email,
                shipping_address: row.shipping_address,
                metadata: row.metadata,
            },
            payment: Authorization { method: row.payment_method, reference: row.payment_reference },
            history: decode_history(&row.history).map_err(corrupt(format!("order {id}")))?,
            placed_at: Timestamp(row.placed_at),
        })
    }
}
