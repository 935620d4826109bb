//! Orders. Written once by the flush of their checkout; what follows are transitions.

use std::sync::Arc;

use smartcart_engine::orders::Order;
use sqlx::SqliteConnection;

use super::TableResult;
use crate::{
    error::corrupt,
    record::{encode_history, encode_lines},
    sqlite::{
        bulk::{Bound, Bulk},
        columns::{id_bytes, signed},
    },
};

#[derive(Debug)]
pub(super) struct Statements {
    insert: Bulk,
}

impl Default for Statements {
    fn default() -> Self {
        Self {
            insert: Bulk::new(
                "INSERT INTO shop_order (id, number, version, status, cart, user, currency, total, lines, email,
                 shipping_address, metadata, payment_method, payment_reference, history, placed_at) VALUES",
                16,
                "ON CONFLICT (id) DO NOTHING",
            ),
        }
    }
}

/// An order and the two of its columns that are JSON.
struct OrderRow<'a> {
    order: &'a Order,
    lines: String,
    history: String,
}

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    statements: &Statements,
    orders: &[Arc<Order>],
) -> TableResult<()> {
    let mut rows = Vec::with_capacity(orders.len());
    for order in orders {
        let subject = || format!("order {}", order.id);
        let lines = encode_lines(&order.lines).map_err(corrupt(subject()))?;
        let history = encode_history(&order.history).map_err(corrupt(subject()))?;
        rows.push(OrderRow { order, lines, history });
    }
    statements.insert.execute(connection, &rows, bind).await?;
    Ok(())
}

fn bind(query: Bound, row: &OrderRow<'_>) -> Bound {
    let order = row.order;
    query
        .bind(id_bytes(order.id.0))
        .bind(order.number())
        .bind(signed(order.version))
        .bind(order.status.as_str())
        .bind(id_bytes(order.cart.0))
        .bind(order.user.map(|user| id_bytes(user.0)))
        .bind(order.currency.to_string())
        .bind(order.total)
        .bind(row.lines.clone())
        .bind(order.details.email.clone())
        .bind(order.details.shipping_address.clone())
        .bind(order.details.metadata.clone())
        .bind(order.payment.method.clone())
        .bind(order.payment.reference.clone())
        .bind(row.history.clone())
        .bind(order.placed_at.0)
}
