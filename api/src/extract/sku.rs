use serde::Deserialize;
use smartcart_domain::{
    catalog::Catalog,
    id::{Sku, is_reachable},
};
use utoipa::ToSchema;

use crate::problem::{Code, FieldCode, FieldError, Problem};

/// A SKU as a client wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[A-Za-z0-9._-]{1,64}$", example = "85123A")]
pub struct SkuText(pub String);

impl SkuText {
    /// The catalogue's own SKU, whose text is shared by everything that names it. One that is not (any more) in the
    /// catalogue goes on as it is: a change that was made already is still replayed.
    pub fn resolve(&self, catalog: &Catalog) -> Result<Sku, Problem> {
        resolve(&self.0, catalog).ok_or_else(|| {
            let rule = "a SKU is 1 to 64 of A-Z a-z 0-9 . _ -";
            Problem::new(Code::UnknownSku, rule).with("sku", self.0.as_str()).at(FieldError::new(
                "/sku",
                FieldCode::Invalid,
                rule,
            ))
        })
    }
}

/// The shared SKU of this text, or a new one when the text can be a SKU at all.
pub(crate) fn resolve(text: &str, catalog: &Catalog) -> Option<Sku> {
    match catalog.find(text) {
        Some(listing) => Some(listing.sku().clone()),
        None => text.parse().ok().filter(|_| is_reachable(text)),
    }
}
