//! Successful answers, with the headers that the contract promises.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;

use smartcart_engine::published::Encoding;

use crate::etag::{KnownVersions, etag, etag_of_content, etag_of_rendition};

pub const DURABILITY: HeaderName = HeaderName::from_static("smartcart-durability");
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

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
    tag: Option<HeaderValue>,
    durability: Option<Durability>,
    replayed: bool,
    location: Option<String>,
}

impl Reply {
    pub const fn new(status: StatusCode, body: Bytes) -> Self {
        Self { status, body, tag: None, durability: None, replayed: false, location: None }
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
    pub fn version(mut self, version: u64) -> Self {
        self.tag = Some(etag(version));
        self
    }

    /// The same for a body that shows other records too.
    #[must_use]
    pub fn rendition(mut self, version: u64, rendition: u64) -> Self {
        self.tag = Some(etag_of_rendition(version, rendition));
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
        Self::unless_known(known, etag(version), body)
    }

    /// The same of a body that shows other records too: 304 when the client has this version as it is shown now.
    pub fn read_rendition(known: &KnownVersions, version: u64, encoding: Encoding) -> Self {
        Self::unless_known(known, etag_of_rendition(version, encoding.rendition), || encoding.body)
    }

    /// A read of what has no version of its own, or none that its reader may know: a list, what is left of a SKU. The tag is
    /// the content's.
    pub fn read_content(known: &KnownVersions, body: Bytes) -> Self {
        Self::unless_known(known, etag_of_content(&body), || body)
    }

    fn unless_known(known: &KnownVersions, tag: HeaderValue, body: impl FnOnce() -> Bytes) -> Self {
        let mut reply = if known.include(&tag) {
            Self::new(StatusCode::NOT_MODIFIED, Bytes::new())
        } else {
            Self::ok(body())
        };
        reply.tag = Some(tag);
        reply
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
        if let Some(tag) = self.tag {
            headers.insert(header::ETAG, tag);
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
