//! The answers, with the fields of SmartCart's.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::catalog::Catalog;

/// How long a cart lives after its last change.
pub(crate) const LIFETIME_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Milliseconds since 1970, written as RFC 3339.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(crate) i64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = jiff::Timestamp::from_millisecond(self.0).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&format_args!("{time:.3}"))
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Money<'a> {
    pub(crate) amount: i64,
    pub(crate) currency: &'a str,
}

#[derive(Debug, Serialize)]
pub(crate) struct Totals<'a> {
    quantity: i64,
    subtotal: Money<'a>,
    discount: Money<'a>,
    shipping: Money<'a>,
    tax: Money<'a>,
    total: Money<'a>,
}

impl<'a> Totals<'a> {
    pub(crate) fn of(lines: impl Iterator<Item = (i64, i64)>, currency: &'a str) -> Self {
        let (quantity, amount) =
            lines.fold((0, 0), |(units, sum), (quantity, price)| (units + quantity, sum + quantity * price));
        let (sum, none) = (Money { amount, currency }, Money { amount: 0, currency });
        Self { quantity, subtotal: sum, discount: none, shipping: none, tax: none, total: sum }
    }

    pub(crate) const fn total(&self) -> i64 {
        self.total.amount
    }
}

pub(crate) fn json(status: StatusCode, version: Option<i64>, body: &impl Serialize) -> Response {
    let bytes = match serde_json::to_vec(body) {
        Ok(bytes) => bytes,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(tag) = version.and_then(|version| HeaderValue::try_from(format!("\"{version}\"")).ok()) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// A cart, wherever it is kept.
#[derive(Debug)]
pub(crate) struct Cart<'a> {
    pub(crate) id: String,
    pub(crate) version: Option<i64>,
    pub(crate) currency: &'a str,
    /// SKU, quantity, unit price.
    pub(crate) lines: Vec<(&'a str, i64, i64)>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) expires_at: i64,
}

#[derive(Debug, Serialize)]
struct CartView<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    status: &'static str,
    currency: &'a str,
    owner: Option<String>,
    items: Vec<LineView<'a>>,
    saved: [(); 0],
    coupons: [(); 0],
    totals: Totals<'a>,
    metadata: Map<String, Value>,
    created_at: Time,
    updated_at: Time,
    expires_at: Time,
}

#[derive(Debug, Serialize)]
struct LineView<'a> {
    sku: &'a str,
    name: Arc<str>,
    quantity: i64,
    unit_price: Money<'a>,
    current_price: Option<Money<'a>>,
    line_total: Money<'a>,
}

impl Cart<'_> {
    pub(crate) fn answer(&self, status: StatusCode, catalog: &Catalog) -> Response {
        let currency = self.currency;
        let items = self.lines.iter().map(|&(sku, quantity, price)| {
            let listing = catalog.get(sku);
            LineView {
                sku,
                name: listing.as_ref().map_or_else(|| sku.into(), |listing| listing.name.clone()),
                quantity,
                unit_price: Money { amount: price, currency },
                current_price: listing
                    .filter(|listing| *listing.currency == *currency)
                    .map(|listing| Money { amount: listing.amount, currency }),
                line_total: Money { amount: price * quantity, currency },
            }
        });
        let view = CartView {
            id: &self.id,
            version: self.version,
            status: "open",
            currency,
            owner: None,
            items: items.collect(),
            saved: [],
            coupons: [],
            totals: Totals::of(self.lines.iter().map(|&(_, quantity, price)| (quantity, price)), currency),
            metadata: Map::new(),
            created_at: Time(self.created_at),
            updated_at: Time(self.updated_at),
            expires_at: Time(self.expires_at),
        };
        json(status, self.version, &view)
    }
}
