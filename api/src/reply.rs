//! Answers: JSON straight into a buffer, and the headers that the contract promises.

use std::cell::RefCell;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Serialize;

pub const DURABILITY: HeaderName = HeaderName::from_static("smartcart-durability");
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Bytes that a thread keeps for its next answer: more than a full cart takes.
const LARGEST_SCRATCH: usize = 64 * 1024;

/// How a change was made durable before it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// In the journal; the tables follow.
    Journaled,
    /// In the tables.
    Committed,
}

/// A successful answer.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    body: Bytes,
    version: Option<u64>,
    durability: Option<Durability>,
    replayed: bool,
    location: Option<String>,
}

/// The JSON of a view. Views hold only strings, numbers and lists, which always have a JSON form.
pub fn encode(view: &impl Serialize) -> Bytes {
    written(|text| serde_json::to_writer(text, view).expect("a view has a JSON form"))
}

/// What `write` writes.
pub fn written(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    thread_local! {
        /// Grown once for each thread: the answer itself, which may be kept, is exactly as long as its text.
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        write(scratch);
        let text = Bytes::copy_from_slice(scratch);
        scratch.shrink_to(LARGEST_SCRATCH);
        text
    })
}

pub fn etag(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("digits and quotes make a header")
}

impl Reply {
    pub const fn new(status: StatusCode, body: Bytes) -> Self {
        Self { status, body, version: None, durability: None, replayed: false, location: None }
    }

    pub const fn ok(body: Bytes) -> Self {
        Self::new(StatusCode::OK, body)
    }

    pub fn created(body: Bytes, location: String) -> Self {
        let mut reply = Self::new(StatusCode::CREATED, body);
        reply.location = Some(location);
        reply
    }

    pub const fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT, Bytes::new())
    }

    /// The version goes out as the `ETag`.
    #[must_use]
    pub const fn version(mut self, version: u64) -> Self {
        self.version = Some(version);
        self
    }

    #[must_use]
    pub const fn durable(mut self, durability: Durability, replayed: bool) -> Self {
        self.durability = Some(durability);
        self.replayed = replayed;
        self
    }

    /// A read: 304 when the client has this version already.
    pub fn read(request: &HeaderMap, version: u64, body: impl FnOnce() -> Bytes) -> Self {
        if client_has(request, version) {
            return Self::new(StatusCode::NOT_MODIFIED, Bytes::new()).version(version);
        }
        Self::ok(body()).version(version)
    }
}

/// `If-None-Match` names this version. The comparison is weak: a proxy may have weakened the tag.
fn client_has(request: &HeaderMap, version: u64) -> bool {
    let Some(tags) = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let own = format!("\"{version}\"");
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own)
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let has_body = !self.body.is_empty();
        let mut response = Response::new(if has_body { Body::from(self.body) } else { Body::empty() });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if has_body {
            headers.insert(header::CONTENT_TYPE, JSON);
        }
        if let Some(version) = self.version {
            headers.insert(header::ETAG, etag(version));
        }
        if let Some(durability) = self.durability {
            let word = match durability {
                Durability::Journaled => "journaled",
                Durability::Committed => "committed",
            };
            headers.insert(DURABILITY, HeaderValue::from_static(word));
        }
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        if let Some(location) = self.location {
            let location = HeaderValue::try_from(location).expect("a path of ours is visible ASCII");
            headers.insert(header::LOCATION, location);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(tags: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(tags))])
    }

    #[test]
    fn a_client_has_the_version_it_names() {
        for tags in ["\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"] {
            assert!(client_has(&asking(tags), 7), "{tags}");
        }
        for tags in ["7", "\"77\"", "\"6\"", ""] {
            assert!(!client_has(&asking(tags), 7), "{tags}");
        }
    }
}
