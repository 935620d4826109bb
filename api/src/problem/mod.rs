//! Failures as RFC 9457 problem details: `type`, `title`, `status`, `detail`, a stable `code`, and the fields that a
//! client needs to act.

mod code;
mod from_engine;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use code::Code;

use crate::{cache_control::NOT_KEPT, etag::etag, json};

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");
/// Told to a client when the failure itself suggests no delay.
const DEFAULT_RETRY: Duration = Duration::from_secs(1);

/// A refused or failed request. Boxed, so that a handler's `Result` stays small.
#[derive(Debug)]
pub struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: Code,
    detail: Cow<'static, str>,
    fields: Map<String, Value>,
    retry_after: Option<Duration>,
    version: Option<u64>,
}

/// The body of every answer with a status of 400 or more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// `urn:smartcart:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// A stable word: act upon this.
    code: &'a str,
    /// When to try again, with 5xx and 429.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(flatten)]
    #[schema(ignore)]
    fields: &'a Map<String, Value>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Parts {
            code,
            detail: detail.into(),
            fields: Map::new(),
            retry_after: None,
            version: None,
        }))
    }

    /// With the code's title as the detail.
    pub fn plain(code: Code) -> Self {
        Self::new(code, code.title())
    }

    /// A field that the client needs to act.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.fields.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// 412: the thing is at `version`, which also goes out as the `ETag`.
    pub fn stale(version: u64) -> Self {
        let mut problem =
            Self::new(Code::VersionMismatch, format!("it is at version {version}")).with("version", version);
        problem.0.version = Some(version);
        problem
    }

    /// A failure that only an operator can do something about: logged here, once, and not shown to the client.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed with an internal error");
        Self::plain(Code::Internal)
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn detail(&self) -> &str {
        &self.0.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts { code, detail, fields, retry_after, version } = *self.0;
        let status = code.status();
        let retries = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let retry_after = retries.then(|| retry_after.unwrap_or(DEFAULT_RETRY));
        let body = ProblemBody {
            kind: format!("urn:smartcart:problem:{}", code.as_str()),
            title: code.title(),
            status: status.as_u16(),
            detail: &detail,
            code: code.as_str(),
            retry_after_ms: retry_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            fields: &fields,
        };
        let mut response = Response::new(Body::from(json::encode(&body)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, MEDIA_TYPE);
        headers.insert(header::CACHE_CONTROL, NOT_KEPT);
        if let Some(after) = retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some(version) = version {
            headers.insert(header::ETAG, etag(version));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
