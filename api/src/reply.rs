//! Answers: JSON straight into a buffer, and the headers that the contract promises.

use std::cell::RefCell;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Serialize;

use crate::extract::KnownVersions;

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
    pub fn read(known: &KnownVersions, version: u64, body: impl FnOnce() -> Bytes) -> Self {
        if known.include(version) {
            return Self::new(StatusCode::NOT_MODIFIED, Bytes::new()).version(version);
        }
        Self::ok(body()).version(version)
    }
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

    #[test]
    fn an_etag_is_the_version_in_quotes() {
        for version in [0, 7, 10, 12_345, u64::MAX] {
            assert_eq!(etag(version), format!("\"{version}\""));
        }
    }
}
