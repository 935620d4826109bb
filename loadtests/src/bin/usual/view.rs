//! The answers, with the fields of SmartCart's.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, Serializer};

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
