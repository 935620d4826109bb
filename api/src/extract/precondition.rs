use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use crate::{
    etag::{KnownVersions, version_named},
    problem::{Code, Problem},
};

impl<S: Send + Sync> FromRequestParts<S> for KnownVersions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::read(&parts.headers))
    }
}

/// The version that `If-Match` names. `*` asks for nothing more than that the thing exists, which a change does anyway.
pub fn expected_version(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    version_named(text).map(Some).ok_or_else(|| {
        Problem::new(Code::InvalidHeader, "If-Match: one ETag as this API gave it, such as \"7\", or *")
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn one_strong_tag_or_a_star() {
        let read = |tag: &'static str| {
            expected_version(&HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(tag))])).ok()
        };
        assert_eq!(read("\"7\""), Some(Some(7)));
        assert_eq!(read("\"7-00000000000000ab\""), Some(Some(7)), "a cart's, whatever it showed");
        assert_eq!(read("*"), Some(None));
        for tag in ["7", "W/\"7\"", "\"7\", \"8\"", "\"x\"", ""] {
            assert_eq!(read(tag), None, "{tag}");
        }
    }
}
