use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};

use crate::problem::{Code, Problem};

/// The path's `{id}`. A text that is no id names nothing: 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathId<T>(pub T);

/// The path's `{sku}`, as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathSku(pub String);

impl<T: FromStr + Send, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = params(parts, state).await?;
        let id = params.iter().find(|(name, _)| *name == "id").and_then(|(_, text)| text.parse().ok());
        id.map(Self).ok_or_else(|| Problem::plain(Code::NotFound))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathSku {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = params(parts, state).await?;
        let sku = params.iter().find(|(name, _)| *name == "sku").map(|(_, text)| text.to_owned());
        sku.map(Self).ok_or_else(|| Problem::plain(Code::NotFound))
    }
}

async fn params<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, Problem> {
    // The path holds bytes that are not UTF-8: no address of ours.
    RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::plain(Code::NotFound))
}
