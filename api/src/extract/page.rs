use std::collections::HashSet;

use axum::{
    extract::FromRequestParts,
    http::{Uri, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::DeserializeOwned};
use smartcart_domain::{id::OrderId, time::Timestamp};
use utoipa::{IntoParams, openapi::path::ParameterIn};

use super::{
    description::{NUL, escaped, out_of_range},
    text::has_encoded_nul,
};
use crate::problem::{Code, FieldCode, FieldError, Problem};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;

/// The query's parameters; unknown ones are refused by their type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + IntoParams, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let has_nul = has_encoded_nul(parts.uri.query().unwrap_or_default());
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(query) if !has_nul => Ok(Self(query.0)),
            Ok(_) => Err(explain::<T>(&parts.uri, NUL)),
            Err(error) => Err(explain::<T>(&parts.uri, &error.body_text())),
        }
    }
}

/// Names every parameter that the description does not allow.
#[cold]
fn explain<T: IntoParams>(uri: &Uri, detail: &str) -> Problem {
    let problem = Problem::new(Code::InvalidQuery, detail.to_owned());
    let Ok(given) = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri) else { return problem };
    let described = T::into_params(|| Some(ParameterIn::Query));
    let mut seen = HashSet::new();
    let check = |(name, value): &(String, String)| {
        let parameter = described.iter().find(|parameter| parameter.name == *name);
        let error =
            |code, detail: String| Some(FieldError { pointer: format!("/{}", escaped(name)), code, detail });
        if !seen.insert(name.clone()) {
            return error(FieldCode::Repeated, "it stands twice".to_owned());
        }
        match parameter {
            None => error(FieldCode::Unknown, "there is no such parameter".to_owned()),
            Some(_) if value.contains('\0') => error(FieldCode::ForbiddenCharacter, NUL.to_owned()),
            Some(parameter) => {
                let schema = serde_json::to_value(&parameter.schema).unwrap_or_default();
                let is_number = schema["type"].to_string().contains("integer");
                match value.parse::<i64>() {
                    Err(_) if is_number => error(FieldCode::WrongType, "it must be an integer".to_owned()),
                    Ok(number) if is_number => out_of_range(&number.into(), &schema)
                        .and_then(|why| error(FieldCode::OutOfRange, why)),
                    Ok(_) | Err(_) => None,
                }
            }
        }
    };
    given.iter().filter_map(check).fold(problem, Problem::at)
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
    let detail = format!("1 to {MAX_LIMIT}");
    let error = FieldError { pointer: "/limit".to_owned(), code: FieldCode::OutOfRange, detail };
    Err(Problem::new(Code::InvalidQuery, format!("limit is 1 to {MAX_LIMIT}")).at(error))
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
            let detail = "only one that a list gave as next_cursor".to_owned();
            let problem = Problem::new(Code::InvalidQuery, format!("cursor: {detail}"));
            problem.at(FieldError { pointer: "/cursor".to_owned(), code: FieldCode::Invalid, detail })
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
