use std::collections::BTreeMap;

use serde::Deserialize;
use smartcart_domain::{
    catalog::{InvalidProduct, Product, Variant},
    id::{ProductId, Sku},
    money::Money,
    time::Timestamp,
};
use utoipa::ToSchema;

use crate::{
    problem::{Code, Problem},
    views::MoneyView,
};

/// A product as the shop enters it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductBody {
    /// In an import; elsewhere the address says it.
    #[schema(value_type = Option<String>, example = "85123A")]
    pub id: Option<ProductId>,
    /// 1 to 200 characters.
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    category: String,
    /// Addresses of pictures.
    #[serde(default)]
    images: Vec<String>,
    /// 1 to 250.
    variants: Vec<VariantBody>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VariantBody {
    /// In the whole shop only here.
    #[schema(value_type = String, example = "85123A")]
    sku: Sku,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    /// At most one for each currency.
    #[schema(value_type = Vec<MoneyView>)]
    prices: Vec<Money>,
}

impl ProductBody {
    /// The product, once it is one that the shop may enter.
    pub fn into_product(self, id: ProductId, now: Timestamp) -> Result<Product, InvalidProduct> {
        let product = Product {
            id,
            version: 0,
            name: self.name,
            description: self.description,
            category: self.category,
            images: self.images,
            variants: self
                .variants
                .into_iter()
                .map(|VariantBody { sku, attributes, prices }| Variant { sku, attributes, prices })
                .collect(),
            updated_at: now,
        };
        product.validate().map(|()| product)
    }
}

impl From<InvalidProduct> for Problem {
    fn from(invalid: InvalidProduct) -> Self {
        Self::new(Code::InvalidField, invalid.to_string())
    }
}
