use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{description::NUL, text::has_encoded_nul};
use crate::problem::{Code, Problem};

/// The path's `{id}`. A text that is no id names nothing: 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathId<T>(pub T);

/// The path's `{sku}`, as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathSku(pub String);

/// The part of a path's parameters that is asked for. Read in place: axum's raw parameters are copies of all of them.
#[derive(Deserialize)]
struct ById<T> {
    id: T,
}

#[derive(Deserialize)]
struct BySku {
    sku: String,
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let ById { id } = params(parts, state).await?;
        Ok(Self(id))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathSku {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let BySku { sku } = params(parts, state).await?;
        Ok(Self(sku))
    }
}

/// What is not of the form that is asked for, or not UTF-8, is no address of ours.
async fn params<T, S>(parts: &mut Parts, state: &S) -> Result<T, Problem>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    if has_encoded_nul(parts.uri.path()) {
        return Err(Problem::new(Code::InvalidPath, NUL));
    }
    match Path::from_request_parts(parts, state).await {
        Ok(Path(params)) => Ok(params),
        Err(_) => Err(Problem::plain(Code::NotFound)),
    }
}
