//! U+0000, which PostgreSQL keeps in no text: it is refused wherever a text comes in, so that both stores take the same.

/// Whether a percent-encoded text, a path or a query, has one.
pub(super) fn has_encoded_nul(encoded: &str) -> bool {
    encoded.contains("%00")
}

/// Whether a JSON text has one. It can only be escaped there: as it is, it is no JSON.
pub(super) fn has_escaped_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let escape = &rest[at + 1..];
        if escape.starts_with(b"u0000") {
            return true;
        }
        // What follows a backslash is its own, also when it is another.
        rest = escape.get(1..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_backslash_escapes_nothing() {
        for json in [r#""\u0000""#, r#"{"a\u0000b": 1}"#, r#""\\\u0000""#, r#""\n\u0000""#] {
            assert!(has_escaped_nul(json.as_bytes()), "{json}");
        }
        for json in [r#""\\u0000""#, r#""\u0001 0000""#, r#""u0000""#, r#""\"#, ""] {
            assert!(!has_escaped_nul(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn a_percent_sign_may_be_followed_by_zeros() {
        assert!(has_encoded_nul("/v1/products?query=a%00b"));
        assert!(!has_encoded_nul("/v1/products?query=a%2500b"));
    }
}
