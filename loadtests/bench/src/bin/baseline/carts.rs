//! Carts: a row for the cart, a row for each of its lines.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;

use crate::{
    problem::Problem,
    shop::{Shop, now_ms},
    view::{Cart, LIFETIME_MS},
};

#[derive(Debug, sqlx::FromRow)]
struct Row {
    version: i64,
    currency: String,
    created_at: i64,
    updated_at: i64,
    expires_at: i64,
    sku: Option<String>,
    quantity: Option<i64>,
    unit_price: Option<i64>,
}

const READ: &str = "
    SELECT version, currency, created_at, updated_at, expires_at, sku, quantity, unit_price
    FROM cart LEFT JOIN cart_line ON cart_line.cart = cart.id WHERE cart.id = $1::uuid ORDER BY sku";

pub(crate) async fn read(State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Result<Response, Problem> {
    answer(&shop, StatusCode::OK, id).await
}

async fn answer(shop: &Shop, status: StatusCode, id: String) -> Result<Response, Problem> {
    let rows: Vec<Row> = sqlx::query_as(READ).bind(&id).fetch_all(&shop.pool).await?;
    let cart = rows.first().ok_or(Problem::NotFound)?;
    let view = Cart {
        id,
        version: Some(cart.version),
        currency: &cart.currency,
        lines: rows
            .iter()
            .filter_map(|row| Some((row.sku.as_deref()?, row.quantity?, row.unit_price?)))
            .collect(),
        created_at: cart.created_at,
        updated_at: cart.updated_at,
        expires_at: cart.expires_at,
    };
    Ok(view.answer(status, &shop.catalog))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateCart {
    pub(crate) currency: String,
}

pub(crate) async fn create(
    State(shop): State<Arc<Shop>>,
    Json(CreateCart { currency }): Json<CreateCart>,
) -> Result<Response, Problem> {
    let now = now_ms();
    let id: String = sqlx::query_scalar(
        "INSERT INTO cart (currency, created_at, updated_at, expires_at) VALUES ($1, $2, $2, $3)
         RETURNING replace(id::text, '-', '')",
    )
    .bind(currency)
    .bind(now)
    .bind(now + LIFETIME_MS)
    .fetch_one(&shop.pool)
    .await?;
    answer(&shop, StatusCode::CREATED, id).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddItem {
    pub(crate) sku: String,
    pub(crate) quantity: u32,
}

pub(crate) async fn add_item(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    Json(item): Json<AddItem>,
) -> Result<Response, Problem> {
    add(&shop, &id, vec![(item.sku, item.quantity)]).await?;
    answer(&shop, StatusCode::OK, id).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    #[serde(rename = "mode")]
    _mode: String,
    operations: Vec<Operation>,
}

impl Batch {
    pub(crate) fn items(self) -> Vec<(String, u32)> {
        self.operations.into_iter().map(|Operation::Add { sku, quantity }| (sku, quantity)).collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum Operation {
    Add { sku: String, quantity: u32 },
}

pub(crate) async fn batch(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
    Json(batch): Json<Batch>,
) -> Result<Response, Problem> {
    add(&shop, &id, batch.items()).await?;
    answer(&shop, StatusCode::OK, id).await
}

/// One statement, and so one transaction: the cart's new version, and a row for each line that is new or larger.
const ADD: &str = "
    WITH changed AS (
        UPDATE cart SET version = version + 1, updated_at = $5, expires_at = $6
        WHERE id = $1::uuid RETURNING id)
    INSERT INTO cart_line (cart, sku, quantity, unit_price)
    SELECT id, sku, quantity, unit_price
    FROM changed, unnest($2::text[], $3::bigint[], $4::bigint[]) AS given (sku, quantity, unit_price)
    ON CONFLICT (cart, sku) DO UPDATE
    SET quantity = cart_line.quantity + excluded.quantity, unit_price = excluded.unit_price";

async fn add(shop: &Shop, cart: &str, items: Vec<(String, u32)>) -> Result<(), Problem> {
    let (skus, quantities): (Vec<String>, Vec<i64>) =
        items.into_iter().map(|(sku, quantity)| (sku, i64::from(quantity))).unzip();
    let price = |sku: &String| shop.catalog.get(sku).map(|listing| listing.amount);
    let prices: Vec<i64> = skus.iter().map(price).collect::<Option<_>>().ok_or(Problem::UnknownSku)?;
    let now = now_ms();
    let written = sqlx::query(ADD)
        .bind(cart)
        .bind(skus)
        .bind(quantities)
        .bind(prices)
        .bind(now)
        .bind(now + LIFETIME_MS)
        .execute(&shop.pool)
        .await?;
    if written.rows_affected() == 0 { Err(Problem::NotFound) } else { Ok(()) }
}
