//! Entity tags: a version in quotes, written for a reply and compared with what a client has.

use axum::http::{HeaderMap, HeaderValue, header};

/// Without the formatting machinery: every answer about a cart or a SKU has one.
pub fn etag(version: u64) -> HeaderValue {
    // A `u64` has twenty digits at most.
    let mut text = [b'"'; 22];
    let (mut start, mut rest) = (text.len() - 1, version);
    loop {
        start -= 1;
        text[start] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    HeaderValue::from_bytes(&text[start - 1..]).expect("digits and quotes make a header")
}

/// The versions that the client has already (`If-None-Match`).
#[derive(Debug, Clone)]
pub struct KnownVersions(Option<HeaderValue>);

impl KnownVersions {
    pub fn read(headers: &HeaderMap) -> Self {
        Self(headers.get(header::IF_NONE_MATCH).cloned())
    }

    /// The comparison is weak: a proxy may have weakened the tag.
    pub fn include(&self, version: u64) -> bool {
        let Some(tags) = self.0.as_ref().and_then(|value| value.to_str().ok()) else { return false };
        let own = etag(version);
        tags.split(',').map(str::trim).any(|tag| tag == "*" || own == *tag.strip_prefix("W/").unwrap_or(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_the_version_in_quotes() {
        for version in [0, 7, 10, 12_345, u64::MAX] {
            assert_eq!(etag(version), format!("\"{version}\""));
        }
    }

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
}
