//! What browsers and proxies may keep of an answer. Without a word of ours, some keep what they like.

use axum::http::{HeaderMap, HeaderValue, Method, header};

/// Nothing: tokens and accounts, and every failure.
pub const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");
/// By the shopper's own browser, which asks each time whether it is still so.
const BY_ITS_OWNER: HeaderValue = HeaderValue::from_static("private, no-cache");
/// By anybody, who asks each time whether it is still so.
pub const BY_ANYBODY: HeaderValue = HeaderValue::from_static("public, no-cache");

/// The answers of one endpoint, where they say nothing of their own.
pub fn of(method: &Method, route: &str) -> HeaderValue {
    match route.split('/').nth(2) {
        Some("products") if *method == Method::GET => BY_ANYBODY,
        Some("carts" | "orders" | "inventory" | "products") => BY_ITS_OWNER,
        _ => NOT_KEPT,
    }
}

/// Says what may be kept, and for which requests, unless the answer says so itself.
pub fn say(headers: &mut HeaderMap, policy: &HeaderValue) {
    if headers.contains_key(header::CACHE_CONTROL) {
        return;
    }
    headers.insert(header::CACHE_CONTROL, policy.clone());
    if policy == BY_ANYBODY {
        // A cache must not give a script of another origin what was said to a program.
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding, Origin"));
    }
}
