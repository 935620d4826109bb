//! Stock and holds.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::{
    problem::Problem,
    shop::{Shop, now_ms},
    view::{Time, json},
};

const DEFAULT_TTL_SECONDS: u32 = 15 * 60;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutStock {
    pub(crate) on_hand: i64,
}

pub(crate) async fn put_stock(
    State(shop): State<Arc<Shop>>,
    Path(sku): Path<String>,
    Json(PutStock { on_hand }): Json<PutStock>,
) -> Result<StatusCode, Problem> {
    sqlx::query(
        "INSERT INTO stock (sku, on_hand) VALUES ($1, $2)
         ON CONFLICT (sku) DO UPDATE SET on_hand = excluded.on_hand, version = stock.version + 1",
    )
    .bind(sku)
    .bind(on_hand)
    .execute(&shop.pool)
    .await?;
    Ok(StatusCode::OK)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceHold {
    quantity: u32,
    ttl_seconds: Option<u32>,
}

#[derive(Debug, Serialize)]
struct HoldView<'a> {
    id: String,
    sku: &'a str,
    quantity: u32,
    expires_at: Time,
}

/// One statement, and so one transaction: the contended row is locked for no more than its own commit.
const PLACE: &str = "
    WITH taken AS (
        UPDATE stock SET held = held + $2, version = version + 1
        WHERE sku = $1 AND on_hand - held >= $2 RETURNING sku)
    INSERT INTO hold (sku, quantity, expires_at) SELECT sku, $2, $3 FROM taken
    RETURNING replace(id::text, '-', '')";

pub(crate) async fn place_hold(
    State(shop): State<Arc<Shop>>,
    Path(sku): Path<String>,
    Json(PlaceHold { quantity, ttl_seconds }): Json<PlaceHold>,
) -> Result<Response, Problem> {
    let ttl = ttl_seconds.unwrap_or(DEFAULT_TTL_SECONDS);
    let expires_at = now_ms() + i64::from(ttl) * 1000;
    let placed: Option<String> = sqlx::query_scalar(PLACE)
        .bind(&sku)
        .bind(i64::from(quantity))
        .bind(expires_at)
        .fetch_optional(&shop.pool)
        .await?;
    let id = placed.ok_or(Problem::InsufficientStock)?;
    Ok(json(StatusCode::CREATED, None, &HoldView { id, sku: &sku, quantity, expires_at: Time(expires_at) }))
}

pub(crate) async fn expire(pool: &PgPool, now: i64) -> sqlx::Result<()> {
    sqlx::query(
        "WITH due AS (DELETE FROM hold WHERE expires_at <= $1 RETURNING sku, quantity),
              freed AS (SELECT sku, sum(quantity)::bigint AS quantity FROM due GROUP BY sku)
         UPDATE stock SET held = held - freed.quantity, version = version + 1
         FROM freed WHERE stock.sku = freed.sku",
    )
    .bind(now)
    .execute(pool)
    .await?;
    Ok(())
}
