use std::collections::BTreeMap;

use serde::Deserialize;
use smartcart_domain::{
    catalog::{Fault, InvalidProduct, Product, Variant},
    id::{ProductId, Sku},
    money::Money,
    time::Timestamp,
};
use utoipa::ToSchema;

use crate::{
    problem::{Code, FieldCode, FieldError, Problem},
    views::MoneyView,
};

/// A product as the shop enters it.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductBody {
    /// In an import; elsewhere the address says it.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "85123A")]
    pub id: Option<ProductId>,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    category: String,
    /// Addresses of pictures.
    #[serde(default)]
    images: Vec<String>,
    #[schema(min_items = 1, max_items = 250)]
    variants: Vec<VariantBody>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VariantBody {
    /// In the whole shop only here.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "85123A")]
    sku: Sku,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    /// At most one for each currency.
    #[schema(value_type = Vec<MoneyView>)]
    prices: Vec<Money>,
}

impl ProductBody {
    /// The product, once it is one that the shop may enter.
    pub fn into_product(self, id: ProductId, now: Timestamp) -> Result<Product, Problem> {
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
        product.validate().map(|()| product).map_err(Problem::from)
    }
}

impl From<Vec<Fault>> for Problem {
    fn from(faults: Vec<Fault>) -> Self {
        let detail = faults.first().map(|fault| fault.reason.to_string()).unwrap_or_default();
        let errors = faults.into_iter().map(|Fault { pointer, reason }| FieldError {
            pointer,
            code: code(&reason),
            detail: reason.to_string(),
        });
        errors.fold(Self::new(Code::InvalidField, detail), Self::at)
    }
}

const fn code(reason: &InvalidProduct) -> FieldCode {
    match reason {
        InvalidProduct::Name { .. } | InvalidProduct::Unreachable(_) => FieldCode::Invalid,
        InvalidProduct::ControlCharacter => FieldCode::ForbiddenCharacter,
        InvalidProduct::TooLong { .. } => FieldCode::TooLong,
        InvalidProduct::Variants { .. } | InvalidProduct::Price { .. } => FieldCode::OutOfRange,
        InvalidProduct::RepeatedSku(_) | InvalidProduct::RepeatedCurrency { .. } => FieldCode::Repeated,
    }
}
