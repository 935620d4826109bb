//! What is sold, in a table, and in memory for the answers: nobody reads it again for each request.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use serde::Deserialize;

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

    pub(crate) fn put(&self, sku: String, listing: Listing) {
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

impl Product {
    /// Its SKUs, each at its first price.
    pub(crate) fn listings(self) -> impl Iterator<Item = (String, Listing)> {
        let name: Arc<str> = self.name.into();
        self.variants.into_iter().filter_map(move |Variant { sku, prices }| {
            let Money { amount, currency } = prices.into_iter().next()?;
            Some((sku, Listing { name: name.clone(), amount, currency: currency.into() }))
        })
    }
}
