use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};

use crate::{
    problem::{Code, Problem},
    reply::etag,
};

/// The versions that the client has already (`If-None-Match`).
#[derive(Debug, Clone)]
pub struct KnownVersions(Option<HeaderValue>);

impl KnownVersions {
    /// The comparison is weak: a proxy may have weakened the tag.
    pub fn include(&self, version: u64) -> bool {
        let Some(tags) = self.0.as_ref().and_then(|value| value.to_str().ok()) else { return false };
        let own = etag(version);
        tags.split(',').map(str::trim).any(|tag| tag == "*" || own == *tag.strip_prefix("W/").unwrap_or(tag))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for KnownVersions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.get(header::IF_NONE_MATCH).cloned()))
    }
}

/// The version that `If-Match` names. `*` asks for nothing more than that the thing exists, which a change does anyway.
pub fn expected_version(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    text.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .and_then(|version| version.parse().ok())
        .map(Some)
        .ok_or_else(|| {
            Problem::new(Code::InvalidHeader, "If-Match: one ETag as this API gave it, such as \"7\", or *")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_the_versions_it_names() {
        let known = |tags| KnownVersions(Some(HeaderValue::from_static(tags)));
        for tags in ["\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"] {
            assert!(known(tags).include(7), "{tags}");
        }
        for tags in ["7", "\"77\"", "\"6\"", ""] {
            assert!(!known(tags).include(7), "{tags}");
        }
        assert!(!KnownVersions(None).include(7));
    }

    #[test]
    fn one_strong_tag_or_a_star() {
        let read = |tag: &'static str| {
            expected_version(&HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(tag))])).ok()
        };
        assert_eq!(read("\"7\""), Some(Some(7)));
        assert_eq!(read("*"), Some(None));
        for tag in ["7", "W/\"7\"", "\"7\", \"8\"", "\"x\"", ""] {
            assert_eq!(read(tag), None, "{tag}");
        }
    }
}
