//! What is sold, and for how much.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};

use crate::{catalog::Product, problem::Problem, shop::Shop};

pub(crate) async fn put(
    State(shop): State<Arc<Shop>>,
    Path(_id): Path<String>,
    Json(product): Json<Product>,
) -> Result<StatusCode, Problem> {
    for (sku, listing) in product.listings() {
        sqlx::query(
            "INSERT INTO variant (sku, name, amount, currency) VALUES ($1, $2, $3, $4)
             ON CONFLICT (sku) DO UPDATE SET name = excluded.name, amount = excluded.amount,
                 currency = excluded.currency",
        )
        .bind(&sku)
        .bind(&*listing.name)
        .bind(listing.amount)
        .bind(&*listing.currency)
        .execute(&shop.pool)
        .await?;
        shop.catalog.put(sku, listing);
    }
    Ok(StatusCode::OK)
}
