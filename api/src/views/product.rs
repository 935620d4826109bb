use std::collections::BTreeMap;

use serde::Serialize;
use smartcart_domain::{
    catalog::{Product, Variant},
    id::{ProductId, Sku},
};
use utoipa::ToSchema;

use super::{money::MoneyView, time::Rfc3339};

/// A product and the variants under which it is sold.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Product)]
pub struct ProductView<'a> {
    #[schema(value_type = String, example = "85123A")]
    id: &'a ProductId,
    version: u64,
    name: &'a str,
    description: &'a str,
    category: &'a str,
    /// Addresses of pictures.
    images: &'a [String],
    variants: Vec<VariantView<'a>>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Rfc3339,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Variant)]
pub struct VariantView<'a> {
    #[schema(value_type = String, example = "85123A")]
    sku: &'a Sku,
    attributes: &'a BTreeMap<String, String>,
    /// At most one for each currency.
    prices: Vec<MoneyView<'a>>,
}

impl<'a> ProductView<'a> {
    pub fn new(product: &'a Product) -> Self {
        // By name, so that a new field is shown or left out on purpose.
        let Product { id, version, name, description, category, images, variants, updated_at } = product;
        Self {
            id,
            version: *version,
            name,
            description,
            category,
            images,
            variants: variants.iter().map(VariantView::new).collect(),
            updated_at: Rfc3339(*updated_at),
        }
    }
}

impl<'a> VariantView<'a> {
    fn new(variant: &'a Variant) -> Self {
        let Variant { sku, attributes, prices } = variant;
        Self {
            sku,
            attributes,
            prices: prices
                .iter()
                .map(|price| MoneyView { amount: price.amount, currency: price.currency.as_str() })
                .collect(),
        }
    }
}
