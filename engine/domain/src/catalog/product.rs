use std::collections::{BTreeMap, HashSet};

use crate::limits;
use crate::{
    id::{ProductId, Sku},
    money::{Currency, Money},
    time::Timestamp,
};

/// A product as the shop describes it. What is sold are its variants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    pub id: ProductId,
    /// Raised by one at each change.
    pub version: u64,
    pub name: String,
    pub description: String,
    pub category: String,
    /// Addresses of pictures.
    pub images: Vec<String>,
    pub variants: Vec<Variant>,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    pub sku: Sku,
    pub attributes: BTreeMap<String, String>,
    /// At most one for each currency.
    pub prices: Vec<Money>,
}

impl Variant {
    pub fn price_in(&self, currency: Currency) -> Option<i64> {
        self.prices.iter().find(|price| price.currency == currency).map(|price| price.amount)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProduct {
    #[error("a product has a name of 1 to {max} characters")]
    Name { max: usize },
    #[error("{field} is longer than {max} bytes")]
    TooLong { field: &'static str, max: usize },
    #[error("a product has 1 to {max} variants")]
    Variants { max: usize },
    #[error("SKU {0} stands twice")]
    RepeatedSku(Sku),
    #[error("SKU {sku} has two prices in {currency}")]
    RepeatedCurrency { sku: Sku, currency: Currency },
    #[error("SKU {sku}: a price is 0 to {max} minor units")]
    Price { sku: Sku, max: i64 },
}

impl Product {
    pub const MAX_NAME: usize = 200;
    pub const MAX_TEXT: usize = 16 * 1024;
    pub const MAX_VARIANTS: usize = 250;

    /// Checks what a shop may enter.
    pub fn validate(&self) -> Result<(), InvalidProduct> {
        if self.name.trim().is_empty() || self.name.chars().count() > Self::MAX_NAME {
            return Err(InvalidProduct::Name { max: Self::MAX_NAME });
        }
        for (field, text) in [("description", &self.description), ("category", &self.category)] {
            if text.len() > Self::MAX_TEXT {
                return Err(InvalidProduct::TooLong { field, max: Self::MAX_TEXT });
            }
        }
        if self.images.iter().map(String::len).sum::<usize>() > Self::MAX_TEXT {
            return Err(InvalidProduct::TooLong { field: "images", max: Self::MAX_TEXT });
        }
        if self.variants.is_empty() || self.variants.len() > Self::MAX_VARIANTS {
            return Err(InvalidProduct::Variants { max: Self::MAX_VARIANTS });
        }
        let mut skus = HashSet::new();
        for variant in &self.variants {
            if !skus.insert(&variant.sku) {
                return Err(InvalidProduct::RepeatedSku(variant.sku.clone()));
            }
            variant.validate()?;
        }
        Ok(())
    }
}

impl Variant {
    fn validate(&self) -> Result<(), InvalidProduct> {
        let mut currencies = HashSet::new();
        for price in &self.prices {
            if !(0..=limits::MAX_PRICE).contains(&price.amount) {
                return Err(InvalidProduct::Price { sku: self.sku.clone(), max: limits::MAX_PRICE });
            }
            if !currencies.insert(price.currency) {
                return Err(InvalidProduct::RepeatedCurrency {
                    sku: self.sku.clone(),
                    currency: price.currency,
                });
            }
        }
        Ok(())
    }
}
