//! A checkout: one transaction over the cart, the stock of each line, the order and its lines, and the key.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    problem::Problem,
    shop::{Shop, now_ms},
    view::{Money, Time, Totals, json},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkout {
    email: Option<String>,
}

#[derive(Debug, Serialize)]
struct OrderView<'a> {
    id: &'a str,
    number: &'a str,
    status: &'static str,
    cart_id: &'a str,
    items: Vec<LineView<'a>>,
    totals: Totals<'a>,
    email: Option<&'a str>,
    history: [Step; 1],
    placed_at: Time,
}

#[derive(Debug, Serialize)]
struct LineView<'a> {
    sku: &'a str,
    name: &'a str,
    quantity: i64,
    unit_price: Money<'a>,
    line_total: Money<'a>,
}

#[derive(Debug, Serialize)]
struct Step {
    status: &'static str,
    at: Time,
}

#[derive(Debug, sqlx::FromRow)]
struct Line {
    sku: String,
    name: String,
    quantity: i64,
    unit_price: i64,
}

struct Order {
    id: String,
    cart: String,
    currency: String,
    email: Option<String>,
    placed_at: i64,
    lines: Vec<Line>,
}

impl Order {
    fn totals(&self) -> Totals<'_> {
        Totals::of(self.lines.iter().map(|line| (line.quantity, line.unit_price)), &self.currency)
    }

    fn answer(&self) -> Response {
        let money = |amount| Money { amount, currency: &self.currency };
        let line = |line: &'_ Line| (line.quantity, line.unit_price);
        let items = self.lines.iter().map(|of| {
            let (quantity, price) = line(of);
            let (sku, name) = (of.sku.as_str(), of.name.as_str());
            LineView { sku, name, quantity, unit_price: money(price), line_total: money(price * quantity) }
        });
        let view = OrderView {
            id: &self.id,
            number: &self.id[..12],
            status: "placed",
            cart_id: &self.cart,
            items: items.collect(),
            totals: self.totals(),
            email: self.email.as_deref(),
            history: [Step { status: "placed", at: Time(self.placed_at) }],
            placed_at: Time(self.placed_at),
        };
        json(StatusCode::CREATED, Some(1), &view)
    }
}

pub(crate) async fn checkout(
    State(shop): State<Arc<Shop>>,
    Path(cart): Path<String>,
    headers: HeaderMap,
    Json(Checkout { email }): Json<Checkout>,
) -> Result<Response, Problem> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).ok_or(Problem::KeyMissing)?;
    let mut transaction = shop.pool.begin().await?;
    let Some((id, currency)) = begin(&mut transaction, key, &cart).await? else {
        transaction.rollback().await?;
        return repeated(&shop, key).await;
    };
    let lines = take_lines(&mut transaction, &shop, &cart).await?;
    let order = Order { id, cart, currency, email, placed_at: now_ms(), lines };
    place(&mut transaction, &order).await?;
    sell(&mut transaction, &order.lines).await?;
    transaction.commit().await?;
    Ok(order.answer())
}

/// The new order's id, with the cart locked; nothing when the key is known or there is no such cart.
async fn begin(
    connection: &mut PgConnection,
    key: &str,
    cart: &str,
) -> Result<Option<(String, String)>, Problem> {
    let begun = sqlx::query_as(
        "WITH fresh AS (
             INSERT INTO idempotency_key (key, shop_order, at) VALUES ($1, gen_random_uuid(), $3)
             ON CONFLICT DO NOTHING RETURNING shop_order)
         SELECT replace(shop_order::text, '-', ''), currency FROM fresh, cart
         WHERE cart.id = $2::uuid FOR UPDATE OF cart",
    )
    .bind(key)
    .bind(cart)
    .bind(now_ms())
    .fetch_optional(connection)
    .await?;
    Ok(begun)
}

/// Empties the cart.
async fn take_lines(connection: &mut PgConnection, shop: &Shop, cart: &str) -> Result<Vec<Line>, Problem> {
    let taken: Vec<(String, i64, i64)> =
        sqlx::query_as("DELETE FROM cart_line WHERE cart = $1::uuid RETURNING sku, quantity, unit_price")
            .bind(cart)
            .fetch_all(connection)
            .await?;
    if taken.is_empty() {
        return Err(Problem::CartEmpty);
    }
    let line = |(sku, quantity, unit_price): (String, i64, i64)| {
        let listing = shop.catalog.get(&sku).ok_or(Problem::UnknownSku)?;
        if listing.amount != unit_price {
            return Err(Problem::PriceChanged);
        }
        Ok(Line { name: listing.name.to_string(), sku, quantity, unit_price })
    };
    taken.into_iter().map(line).collect()
}

const PLACE: &str = "
    WITH emptied AS (UPDATE cart SET version = version + 1, updated_at = $6 WHERE id = $2::uuid),
         placed AS (
             INSERT INTO shop_order (id, cart, email, currency, total, placed_at)
             VALUES ($1::uuid, $2::uuid, $3, $4, $5, $6))
    INSERT INTO order_line (shop_order, sku, name, quantity, unit_price)
    SELECT $1::uuid, given.* FROM unnest($7::text[], $8::text[], $9::bigint[], $10::bigint[]) AS given";

async fn place(connection: &mut PgConnection, order: &Order) -> Result<(), Problem> {
    let lines = &order.lines;
    sqlx::query(PLACE)
        .bind(&order.id)
        .bind(&order.cart)
        .bind(&order.email)
        .bind(&order.currency)
        .bind(order.totals().total())
        .bind(order.placed_at)
        .bind(lines.iter().map(|line| line.sku.as_str()).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| line.quantity).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| line.unit_price).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Rows are locked in the order of their SKUs, so that no two checkouts wait for each other; and last of all, since
/// others want them too.
const SELL: &str = "
    WITH locked AS (SELECT sku FROM stock WHERE sku = ANY($1) ORDER BY sku FOR UPDATE)
    UPDATE stock SET on_hand = on_hand - given.quantity, sold = sold + given.quantity, version = version + 1
    FROM locked JOIN unnest($1::text[], $2::bigint[]) AS given (sku, quantity) ON given.sku = locked.sku
    WHERE stock.sku = locked.sku AND on_hand - held >= given.quantity";

async fn sell(connection: &mut PgConnection, lines: &[Line]) -> Result<(), Problem> {
    let sold = sqlx::query(SELL)
        .bind(lines.iter().map(|line| line.sku.as_str()).collect::<Vec<_>>())
        .bind(lines.iter().map(|line| line.quantity).collect::<Vec<_>>())
        .execute(connection)
        .await?
        .rows_affected();
    if sold == lines.len() as u64 { Ok(()) } else { Err(Problem::InsufficientStock) }
}

/// The same key again is answered with the same order.
async fn repeated(shop: &Shop, key: &str) -> Result<Response, Problem> {
    let found: Option<(String, String, String, Option<String>, i64)> = sqlx::query_as(
        "SELECT replace(id::text, '-', ''), replace(cart::text, '-', ''), currency, email, placed_at
         FROM idempotency_key JOIN shop_order ON id = shop_order WHERE key = $1",
    )
    .bind(key)
    .fetch_optional(&shop.pool)
    .await?;
    let (id, cart, currency, email, placed_at) = found.ok_or(Problem::NotFound)?;
    let lines =
        sqlx::query_as("SELECT sku, name, quantity, unit_price FROM order_line WHERE shop_order = $1::uuid")
            .bind(&id)
            .fetch_all(&shop.pool)
            .await?;
    Ok(Order { id, cart, currency, email, placed_at, lines }.answer())
}
