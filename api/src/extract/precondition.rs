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

/// What a change believes of the thing that it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Precondition {
    /// The version that it is at; 0 is that it does not exist (`If-None-Match: *`).
    pub expected: Option<u64>,
    /// It exists, at whatever version (`If-Match: *`).
    pub must_exist: bool,
}

/// RFC 9110, sections 13.1.1 and 13.1.2. A tag that this API did not give, or that a proxy has weakened, matches nothing.
pub fn precondition(headers: &HeaderMap) -> Result<Precondition, Problem> {
    let only_creates = headers.get(header::IF_NONE_MATCH).is_some_and(|tags| tags.as_bytes() == b"*");
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(Precondition { expected: only_creates.then_some(0), must_exist: false });
    };
    let text = value.to_str().unwrap_or_default().trim();
    if only_creates {
        return Err(Problem::new(Code::VersionMismatch, "nothing both exists and does not"));
    }
    if text == "*" {
        return Ok(Precondition { expected: None, must_exist: true });
    }
    if let Some(version) = version_named(text) {
        return Ok(Precondition { expected: Some(version), must_exist: false });
    }
    let quoted =
        text.strip_prefix("W/").unwrap_or(text).strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    Err(match quoted {
        Some(tag) if !tag.contains('"') => {
            Problem::new(Code::VersionMismatch, "If-Match: it has no such version")
        }
        Some(_) | None => {
            Problem::new(Code::InvalidHeader, "If-Match: one ETag as this API gave it, such as \"7\", or *")
        }
    })
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn read(headers: &[(HeaderName, &'static str)]) -> Result<Precondition, Code> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        precondition(&headers.collect()).map_err(|problem| problem.code())
    }

    fn if_match(tag: &'static str) -> Result<Precondition, Code> {
        read(&[(header::IF_MATCH, tag)])
    }

    fn at(version: u64) -> Precondition {
        Precondition { expected: Some(version), must_exist: false }
    }

    #[test]
    fn one_strong_tag_or_a_star() {
        assert_eq!(read(&[]), Ok(Precondition::default()));
        assert_eq!(if_match("\"7\""), Ok(at(7)));
        assert_eq!(if_match("\"7-00000000000000ab\""), Ok(at(7)), "a cart's, whatever it showed");
        assert_eq!(if_match("*"), Ok(Precondition { expected: None, must_exist: true }));
        for tag in ["7", "\"7\", \"8\"", ""] {
            assert_eq!(if_match(tag), Err(Code::InvalidHeader), "{tag}");
        }
        for tag in ["W/\"7\"", "\"x\"", "\"\""] {
            assert_eq!(if_match(tag), Err(Code::VersionMismatch), "{tag}");
        }
    }

    #[test]
    fn what_must_be_new_is_at_no_version() {
        assert_eq!(read(&[(header::IF_NONE_MATCH, "*")]), Ok(at(0)));
        assert_eq!(read(&[(header::IF_NONE_MATCH, "\"7\"")]), Ok(Precondition::default()));
        let neither = read(&[(header::IF_NONE_MATCH, "*"), (header::IF_MATCH, "*")]);
        assert_eq!(neither, Err(Code::VersionMismatch));
    }
}
