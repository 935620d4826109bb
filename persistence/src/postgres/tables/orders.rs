//! Orders. Written once by the flush of their checkout; what follows are transitions.

use std::sync::Arc;

use smartcart_domain::{
    id::{OrderId, UserId},
    orders::{Order, OrderStatus},
    time::{ShopTime, Timestamp},
};
use smartcart_engine::store::{DueRestock, StoreError, TableKey, Written};
use sqlx::{Connection as _, PgConnection};

use super::keys;
use crate::{
    columns::{id_bytes, id_of, limit_of, signed, unsigned},
    error::{TableResult, corrupt},
    rows::{OrderColumns, OrderRow, RestockColumns, json::encode_history, order_rows},
};

pub(super) async fn insert(connection: &mut PgConnection, orders: &[Arc<Order>]) -> TableResult<()> {
    if orders.is_empty() {
        return Ok(());
    }
    fn column<'a, T>(rows: &'a [OrderRow<'a>], value: impl Fn(&'a OrderRow<'a>) -> T) -> Vec<T> {
        rows.iter().map(value).collect()
    }
    let rows = order_rows(orders)?;
    sqlx::query(
        "INSERT INTO shop_order (id, number, version, status, cart, shopper, currency, total, lines, email,
         shipping_address, metadata, payment_method, payment_reference, history, placed_at)
         SELECT * FROM unnest($1::bytea[], $2::text[], $3::bigint[], $4::text[], $5::bytea[], $6::bytea[],
         $7::text[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
         $15::text[], $16::bigint[])
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(column(&rows, |row| id_bytes(row.order.id.0)))
    .bind(column(&rows, |row| row.order.number()))
    .bind(column(&rows, |row| signed(row.order.version)))
    .bind(column(&rows, |row| row.order.status.as_str()))
    .bind(column(&rows, |row| id_bytes(row.order.cart.0)))
    .bind(column(&rows, |row| row.order.user.map(|user| id_bytes(user.0))))
    .bind(column(&rows, |row| row.order.currency.to_string()))
    .bind(column(&rows, |row| row.order.total))
    .bind(column(&rows, |row| row.lines.as_str()))
    .bind(column(&rows, |row| row.order.details.email.as_deref()))
    .bind(column(&rows, |row| row.order.details.shipping_address.as_deref()))
    .bind(column(&rows, |row| row.order.details.metadata.as_deref()))
    .bind(column(&rows, |row| row.order.payment.method.as_str()))
    .bind(column(&rows, |row| row.order.payment.reference.as_str()))
    .bind(column(&rows, |row| row.history.as_str()))
    .bind(column(&rows, |row| row.order.placed_at.0))
    .execute(connection)
    .await?;
    Ok(())
}

/// The columns of an order, where the rest of the statement says.
macro_rules! select {
    ($rest:literal $(,)?) => {
        concat!(
            r#"SELECT id, version, status, cart, shopper AS "user", currency, total, lines, email,
               shipping_address, metadata, payment_method, payment_reference, history, placed_at
               FROM shop_order "#,
            $rest
        )
    };
}

fn orders(rows: Vec<OrderColumns>) -> TableResult<Vec<Order>> {
    Ok(rows.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?)
}

pub(super) async fn load(connection: &mut PgConnection, id: OrderId) -> TableResult<Option<Order>> {
    let row: Option<OrderColumns> =
        sqlx::query_as(select!("WHERE id = $1")).bind(id_bytes(id.0)).fetch_optional(connection).await?;
    Ok(row.map(TryInto::try_into).transpose()?)
}

/// Newest first.
pub(super) async fn page(
    connection: &mut PgConnection,
    user: Option<UserId>,
    before: Option<(Timestamp, OrderId)>,
    limit: usize,
) -> TableResult<Vec<Order>> {
    let (at, id) = before.unwrap_or((Timestamp(i64::MAX), OrderId(u128::MAX)));
    let query = match user {
        Some(user) => sqlx::query_as(select!(
            "WHERE (placed_at, id) < ($1, $2) AND shopper = $4 ORDER BY placed_at DESC, id DESC LIMIT $3",
        ))
        .bind(at.0)
        .bind(id_bytes(id.0))
        .bind(limit_of(limit))
        .bind(id_bytes(user.0)),
        None => sqlx::query_as(select!(
            "WHERE (placed_at, id) < ($1, $2) ORDER BY placed_at DESC, id DESC LIMIT $3",
        ))
        .bind(at.0)
        .bind(id_bytes(id.0))
        .bind(limit_of(limit)),
    };
    orders(query.fetch_all(connection).await?)
}

pub(super) async fn transition(
    connection: &mut PgConnection,
    next: &Order,
    key: Option<&TableKey>,
) -> TableResult<Written<Order>> {
    let mut transaction = connection.begin().await?;
    if keys::seen(&mut transaction, key).await?.is_some() {
        let value = load(&mut transaction, next.id).await?.ok_or(StoreError::NotFound)?;
        return Ok(Written { value, replayed: true });
    }
    let id = id_bytes(next.id.0);
    let history = encode_history(&next.history).map_err(corrupt(format!("order {}", next.id)))?;
    let written = sqlx::query(
        "UPDATE shop_order SET version = $2, status = $3, history = $4, restock_due = restock_due OR $5
         WHERE id = $1 AND version = $2 - 1",
    )
    .bind(&id)
    .bind(signed(next.version))
    .bind(next.status.as_str())
    .bind(history)
    .bind(next.status == OrderStatus::Cancelled)
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    if written == 0 {
        let found: Option<i64> = sqlx::query_scalar("SELECT version FROM shop_order WHERE id = $1")
            .bind(&id)
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
pub(super) async fn of_key(connection: &mut PgConnection, key: &TableKey) -> TableResult<Option<Order>> {
    match keys::known(connection, Some(key)).await? {
        Some(subject) => load(connection, OrderId(id_of(&subject)?)).await,
        None => Ok(None),
    }
}

/// In the order of their turns.
pub(super) async fn to_restock(
    connection: &mut PgConnection,
    now: ShopTime,
    after: Option<(ShopTime, OrderId)>,
    limit: usize,
) -> TableResult<Vec<DueRestock>> {
    let (at, id) = after.map_or((i64::MIN, Vec::new()), |(at, id)| (at.0, id_bytes(id.0)));
    let rows: Vec<RestockColumns> = sqlx::query_as(
        r#"SELECT id, version, status, cart, shopper AS "user", currency, total, lines, email, shipping_address,
           metadata, payment_method, payment_reference, history, placed_at, restock_at, restock_tries, units_returned
           FROM shop_order WHERE restock_due AND restock_at <= $1 AND (restock_at, id) > ($2, $3)
           ORDER BY restock_at, id LIMIT $4"#,
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
    connection: &mut PgConnection,
    id: OrderId,
    until: ShopTime,
) -> TableResult<()> {
    let postponed =
        sqlx::query("UPDATE shop_order SET restock_at = $2, restock_tries = restock_tries + 1 WHERE id = $1")
            .bind(id_bytes(id.0))
            .bind(until.0);
    must_be_there(postponed.execute(connection).await?.rows_affected())
}

pub(super) async fn mark_units_returned(connection: &mut PgConnection, id: OrderId) -> TableResult<()> {
    let marked =
        sqlx::query("UPDATE shop_order SET units_returned = TRUE WHERE id = $1").bind(id_bytes(id.0));
    must_be_there(marked.execute(connection).await?.rows_affected())
}

pub(super) async fn mark_restocked(connection: &mut PgConnection, id: OrderId) -> TableResult<()> {
    let marked = sqlx::query("UPDATE shop_order SET restock_due = FALSE WHERE id = $1").bind(id_bytes(id.0));
    must_be_there(marked.execute(connection).await?.rows_affected())
}

fn must_be_there(rows: u64) -> TableResult<()> {
    if rows == 0 { Err(StoreError::NotFound.into()) } else { Ok(()) }
}
