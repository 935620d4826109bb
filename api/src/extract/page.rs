use axum::{extract::FromRequestParts, http::request::Parts};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::DeserializeOwned};
use smartcart_domain::{id::OrderId, time::Timestamp};
use utoipa::IntoParams;

use crate::problem::{Code, Problem};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;

/// The query's parameters; unknown ones are refused by their type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|query| Self(query.0))
            .map_err(|error| Problem::new(Code::InvalidQuery, error.body_text()))
    }
}

/// Which part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items of a page: 1 to 200, 50 when not said.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<usize>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    pub fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit)
    }
}

pub fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::new(Code::InvalidQuery, format!("limit is 1 to {MAX_LIMIT}")))
}

/// Where a page ended: opaque to clients.
pub trait Cursor: Sized {
    fn text(&self) -> String;
    fn parse(text: &str) -> Option<Self>;

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.text())
    }

    fn read(cursor: Option<&str>) -> Result<Option<Self>, Problem> {
        let Some(cursor) = cursor else { return Ok(None) };
        let decoded = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.and_then(|text| Self::parse(&text)).map(Some).ok_or_else(|| {
            Problem::new(Code::InvalidQuery, "cursor: only one that a list gave as next_cursor")
        })
    }
}

impl Cursor for (Timestamp, OrderId) {
    fn text(&self) -> String {
        format!("{} {}", self.0.0, self.1)
    }

    fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once(' ')?;
        Some((Timestamp(at.parse().ok()?), id.parse().ok()?))
    }
}

impl Cursor for smartcart_domain::id::ProductId {
    fn text(&self) -> String {
        self.to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        let end = (Timestamp(1_700_000_000_000), OrderId(5));
        assert_eq!(Cursor::read(Some(&end.encode())).unwrap(), Some(end));
        assert!(<(Timestamp, OrderId)>::read(Some("bogus")).is_err());
    }
}
