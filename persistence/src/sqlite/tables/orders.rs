//! Orders. Written once by the flush of their checkout; what follows are transitions.

use std::sync::Arc;

use smartcart_domain::{
    id::{OrderId, UserId},
    orders::{Order, OrderStatus},
    time::{ShopTime, Timestamp},
};
use smartcart_engine::store::{DueRestock, StoreError, TableKey, Written};
use sqlx::{Connection, SqliteConnection};

use super::keys;
use crate::error::TableResult;
use crate::{
    columns::{id_bytes, id_of, limit_of, signed, unsigned},
    error::corrupt,
    rows::{OrderColumns, OrderRow, RestockColumns, json::encode_history, order_rows},
    sqlite::bulk::{Bound, Bulk},
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

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    statements: &Statements,
    orders: &[Arc<Order>],
) -> TableResult<()> {
    let rows = order_rows(orders)?;
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

fn orders(rows: Vec<OrderColumns>) -> TableResult<Vec<Order>> {
    Ok(rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?)
}

pub(super) async fn load(connection: &mut SqliteConnection, id: OrderId) -> TableResult<Option<Order>> {
    let id = id_bytes(id.0);
    let row = sqlx::query_as!(
        OrderColumns,
        "SELECT id, version, status, cart, user, currency, total, lines, email, shipping_address, metadata,
         payment_method, payment_reference, history, placed_at
         FROM shop_order WHERE id = ?",
        id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(TryInto::try_into).transpose()?)
}

/// Newest first.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    user: Option<UserId>,
    before: Option<(Timestamp, OrderId)>,
    limit: usize,
) -> TableResult<Vec<Order>> {
    let (at, id) = before.unwrap_or((Timestamp(i64::MAX), OrderId(u128::MAX)));
    let (id, limit) = (id_bytes(id.0), limit_of(limit));
    let rows = match user {
        Some(user) => {
            let user = id_bytes(user.0);
            sqlx::query_as!(
                OrderColumns,
                "SELECT id, version, status, cart, user, currency, total, lines, email, shipping_address,
                 metadata, payment_method, payment_reference, history, placed_at
                 FROM shop_order WHERE user = ? AND (placed_at, id) < (?, ?)
                 ORDER BY placed_at DESC, id DESC LIMIT ?",
                user,
                at.0,
                id,
                limit
            )
            .fetch_all(connection)
            .await?
        }
        None => {
            sqlx::query_as!(
                OrderColumns,
                "SELECT id, version, status, cart, user, currency, total, lines, email, shipping_address,
                 metadata, payment_method, payment_reference, history, placed_at
                 FROM shop_order WHERE (placed_at, id) < (?, ?)
                 ORDER BY placed_at DESC, id DESC LIMIT ?",
                at.0,
                id,
                limit
            )
            .fetch_all(connection)
            .await?
        }
    };
    orders(rows)
}

pub(super) async fn transition(
    connection: &mut SqliteConnection,
    next: &Order,
    key: Option<&TableKey>,
) -> TableResult<Written<Order>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if keys::seen(&mut transaction, key).await?.is_some() {
        let value = load(&mut transaction, next.id).await?.ok_or(StoreError::NotFound)?;
        return Ok(Written { value, replayed: true });
    }
    let id = id_bytes(next.id.0);
    let (version, status) = (signed(next.version), next.status.as_str());
    let history = encode_history(&next.history).map_err(corrupt(format!("order {}", next.id)))?;
    let restock = i64::from(next.status == OrderStatus::Cancelled);
    let written = sqlx::query!(
        "UPDATE shop_order SET version = ?1, status = ?2, history = ?3, restock_due = MAX(restock_due, ?4)
         WHERE id = ?5 AND version = ?1 - 1",
        version,
        status,
        history,
        restock,
        id
    )
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    if written == 0 {
        let found = sqlx::query_scalar!("SELECT version FROM shop_order WHERE id = ?", id)
            .fetch_optional(&mut *transaction)
            .await?;
        let refusal = |version| StoreError::Stale { version: unsigned(version) };
        return Err(found.map_or(StoreError::NotFound, refusal).into());
    }
    keys::remember(&mut transaction, key, &id).await?;
    transaction.commit().await?;
    Ok(Written { value: next.clone(), replayed: false })
}

/// The order whose transition a key made.
pub(super) async fn of_key(connection: &mut SqliteConnection, key: &TableKey) -> TableResult<Option<Order>> {
    match keys::seen(connection, Some(key)).await? {
        Some(subject) => load(connection, OrderId(id_of(&subject)?)).await,
        None => Ok(None),
    }
}

/// In the order of their turns. Not a checked query: those read no row into two structs.
pub(super) async fn to_restock(
    connection: &mut SqliteConnection,
    now: ShopTime,
    after: Option<(ShopTime, OrderId)>,
    limit: usize,
) -> TableResult<Vec<DueRestock>> {
    let (at, id) = after.map_or((i64::MIN, Vec::new()), |(at, id)| (at.0, id_bytes(id.0)));
    let rows: Vec<RestockColumns> = sqlx::query_as(
        "SELECT id, version, status, cart, user, currency, total, lines, email, shipping_address, metadata,
         payment_method, payment_reference, history, placed_at, restock_at, restock_tries, units_returned
         FROM shop_order WHERE restock_due = 1 AND restock_at <= ? AND (restock_at, id) > (?, ?)
         ORDER BY restock_at, id LIMIT ?",
    )
    .bind(now.0)
    .bind(at)
    .bind(id)
    .bind(limit_of(limit))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?)
}

pub(super) async fn postpone_restock(
    connection: &mut SqliteConnection,
    id: OrderId,
    until: ShopTime,
) -> TableResult<()> {
    let id = id_bytes(id.0);
    let postponed = sqlx::query!(
        "UPDATE shop_order SET restock_at = ?, restock_tries = restock_tries + 1 WHERE id = ?",
        until.0,
        id
    );
    must_be_there(postponed.execute(connection).await?.rows_affected())
}

pub(super) async fn mark_units_returned(connection: &mut SqliteConnection, id: OrderId) -> TableResult<()> {
    let id = id_bytes(id.0);
    let marked = sqlx::query!("UPDATE shop_order SET units_returned = 1 WHERE id = ?", id);
    must_be_there(marked.execute(connection).await?.rows_affected())
}

pub(super) async fn mark_restocked(connection: &mut SqliteConnection, id: OrderId) -> TableResult<()> {
    let id = id_bytes(id.0);
    let marked = sqlx::query!("UPDATE shop_order SET restock_due = 0 WHERE id = ?", id);
    must_be_there(marked.execute(connection).await?.rows_affected())
}

fn must_be_there(rows: u64) -> TableResult<()> {
    if rows == 0 { Err(StoreError::NotFound.into()) } else { Ok(()) }
}
