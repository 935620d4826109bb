use serde::Serialize;
use utoipa::ToSchema;

/// An amount in minor units of an ISO 4217 currency: `1999 USD` is 19.99 dollars.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[schema(as = Money)]
pub struct MoneyView<'a> {
    #[schema(example = 1999)]
    pub amount: i64,
    #[schema(example = "USD", pattern = "^[A-Z]{3}$")]
    pub currency: &'a str,
}
