//! What is sold, in a table, and in memory for the answers: nobody reads it again for each request.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;

use crate::{Shop, problem::Problem};

#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) name: Arc<str>,
    pub(crate) amount: i64,
    pub(crate) currency: Arc<str>,
}

#[derive(Debug, Default)]
pub(crate) struct Catalog(RwLock<HashMap<String, Listing>>);

impl Catalog {
    pub(crate) fn get(&self, sku: &str) -> Option<Listing> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(sku).cloned()
    }

    fn put(&self, sku: String, listing: Listing) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(sku, listing);
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Product {
    name: String,
    variants: Vec<Variant>,
}

#[derive(Debug, Deserialize)]
struct Variant {
    sku: String,
    prices: Vec<Money>,
}

#[derive(Debug, Deserialize)]
struct Money {
    amount: i64,
    currency: String,
}

pub(crate) async fn put_product(
    State(shop): State<Arc<Shop>>,
    Path(_id): Path<String>,
    Json(product): Json<Product>,
) -> Result<StatusCode, Problem> {
    for Variant { sku, prices } in product.variants {
        let Some(price) = prices.into_iter().next() else { continue };
        sqlx::query(
            "INSERT INTO variant (sku, name, amount, currency) VALUES ($1, $2, $3, $4)
             ON CONFLICT (sku) DO UPDATE SET name = excluded.name, amount = excluded.amount,
                 currency = excluded.currency",
        )
        .bind(&sku)
        .bind(&product.name)
        .bind(price.amount)
        .bind(&price.currency)
        .execute(&shop.pool)
        .await?;
        let listing = Listing {
            name: product.name.as_str().into(),
            amount: price.amount,
            currency: price.currency.into(),
        };
        shop.catalog.put(sku, listing);
    }
    Ok(StatusCode::OK)
}
