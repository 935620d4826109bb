use std::collections::{BTreeMap, HashSet};

use crate::limits;
use crate::{
    id::{ProductId, Sku, is_reachable},
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
    #[error("a name is one line, without control characters")]
    ControlCharacter,
    #[error("{field} is longer than {max} characters")]
    TooLong { field: &'static str, max: usize },
    #[error("'{0}' has no address of its own")]
    Unreachable(String),
    #[error("a product has 1 to {max} variants")]
    Variants { max: usize },
    #[error("SKU {0} stands twice")]
    RepeatedSku(Sku),
    #[error("SKU {sku} has two prices in {currency}")]
    RepeatedCurrency { sku: Sku, currency: Currency },
    #[error("SKU {sku}: a price is 0 to {max} minor units")]
    Price { sku: Sku, max: i64 },
}

/// What is wrong with a product, and where: a JSON Pointer into its description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub pointer: String,
    pub reason: InvalidProduct,
}

impl Product {
    pub const MAX_NAME: usize = 200;
    pub const MAX_TEXT: usize = 16 * 1024;
    pub const MAX_VARIANTS: usize = 250;

    /// Everything that a shop may not enter so.
    pub fn validate(&self) -> Result<(), Vec<Fault>> {
        let mut faults = Vec::new();
        let mut check = |pointer: &str, holds: bool, reason: InvalidProduct| {
            if !holds {
                faults.push(Fault { pointer: pointer.to_owned(), reason });
            }
        };
        check("/id", is_reachable(self.id.as_str()), InvalidProduct::Unreachable(self.id.to_string()));
        let is_name = !self.name.trim().is_empty() && self.name.chars().count() <= Self::MAX_NAME;
        check("/name", is_name, InvalidProduct::Name { max: Self::MAX_NAME });
        let is_line = |text: &str| !text.chars().any(char::is_control);
        check("/name", is_line(&self.name), InvalidProduct::ControlCharacter);
        check("/category", is_line(&self.category), InvalidProduct::ControlCharacter);
        let images = self.images.iter().map(|image| image.chars().count()).sum();
        for (field, pointer, length) in [
            ("description", "/description", self.description.chars().count()),
            ("category", "/category", self.category.chars().count()),
            ("images", "/images", images),
        ] {
            check(pointer, length <= Self::MAX_TEXT, InvalidProduct::TooLong { field, max: Self::MAX_TEXT });
        }
        let count = (1..=Self::MAX_VARIANTS).contains(&self.variants.len());
        check("/variants", count, InvalidProduct::Variants { max: Self::MAX_VARIANTS });
        let mut skus = HashSet::new();
        for (index, variant) in self.variants.iter().enumerate() {
            let sku = format!("/variants/{index}/sku");
            check(&sku, skus.insert(&variant.sku), InvalidProduct::RepeatedSku(variant.sku.clone()));
            let unreachable = InvalidProduct::Unreachable(variant.sku.to_string());
            check(&sku, is_reachable(variant.sku.as_str()), unreachable);
            variant.validate(&format!("/variants/{index}"), &mut check);
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Whether another description of it would change nothing.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let Self { version, updated_at, .. } = *other;
        Self { version, updated_at, ..self.clone() } == *other
    }
}

impl Variant {
    fn validate(&self, at: &str, check: &mut impl FnMut(&str, bool, InvalidProduct)) {
        let mut currencies = HashSet::new();
        for (index, price) in self.prices.iter().enumerate() {
            let (sku, currency) = (self.sku.clone(), price.currency);
            let too_many = InvalidProduct::RepeatedCurrency { sku: sku.clone(), currency };
            check(&format!("{at}/prices/{index}/currency"), currencies.insert(currency), too_many);
            let in_range = (0..=limits::MAX_PRICE).contains(&price.amount);
            let out_of_range = InvalidProduct::Price { sku, max: limits::MAX_PRICE };
            check(&format!("{at}/prices/{index}/amount"), in_range, out_of_range);
        }
    }
}
