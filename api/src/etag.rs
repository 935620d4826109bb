//! Entity tags: a version in quotes, written for a reply and compared with what a client has. Where a reply shows other
//! records too, as a cart shows prices, the tag names the version and the rendition: `"7-9f86d081884c7d65"`.

use axum::http::{HeaderMap, HeaderValue, header};
use xxhash_rust::xxh3::xxh3_64;

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

pub fn etag_of_rendition(version: u64, rendition: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}-{rendition:016x}\"")).expect("digits and quotes make a header")
}

/// For what has no version of its own: the same content has the same tag.
pub fn etag_of_content(body: &[u8]) -> HeaderValue {
    HeaderValue::try_from(format!("\"c{:016x}\"", xxh3_64(body))).expect("digits and quotes make a header")
}

/// The version that a tag of this API names, whatever its rendition.
pub fn version_named(tag: &str) -> Option<u64> {
    let named = tag.strip_prefix('"')?.strip_suffix('"')?;
    let Some((version, rendition)) = named.split_once('-') else { return named.parse().ok() };
    let is_rendition = rendition.len() == 16 && rendition.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_rendition.then(|| version.parse().ok())?
}

/// The versions that the client has already (`If-None-Match`).
#[derive(Debug, Clone)]
pub struct KnownVersions(Option<HeaderValue>);

impl KnownVersions {
    pub fn read(headers: &HeaderMap) -> Self {
        Self(headers.get(header::IF_NONE_MATCH).cloned())
    }

    /// The comparison is weak: a proxy may have weakened the tag.
    pub fn include(&self, own: &HeaderValue) -> bool {
        let Some(tags) = self.0.as_ref().and_then(|value| value.to_str().ok()) else { return false };
        tags.split(',').map(str::trim).any(|tag| tag == "*" || *own == *tag.strip_prefix("W/").unwrap_or(tag))
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
            assert!(known(tags).include(&etag(7)), "{tags}");
        }
        for tags in ["7", "\"77\"", "\"6\"", ""] {
            assert!(!known(tags).include(&etag(7)), "{tags}");
        }
        assert!(!KnownVersions(None).include(&etag(7)));
    }

    #[test]
    fn a_rendition_is_part_of_the_tag_and_not_of_the_version() {
        let tag = etag_of_rendition(7, 0xab);
        assert_eq!(tag, "\"7-00000000000000ab\"");
        assert!(KnownVersions(Some(tag.clone())).include(&tag));
        assert!(!KnownVersions(Some(etag(7))).include(&tag));
        assert!(!KnownVersions(Some(etag_of_rendition(7, 0xac))).include(&tag));
        for tag in ["\"7\"", "\"7-00000000000000ab\""] {
            assert_eq!(version_named(tag), Some(7), "{tag}");
        }
        for tag in ["7", "\"7-\"", "\"7-ab\"", "\"7-00000000000000zz\"", "\"-00000000000000ab\"", "W/\"7\""] {
            assert_eq!(version_named(tag), None, "{tag}");
        }
    }
}
