//! Failures as RFC 9457 problem details: `type`, `title`, `status`, `detail`, a stable `code`, and the fields that a
//! client needs to act.

mod code;
mod field;
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
use smartcart_domain::idempotency::Caller;
use utoipa::ToSchema;

pub use code::Code;
pub use field::{FieldCode, FieldError};

use crate::{cache_control::NOT_KEPT, disclosure::Disclosure, etag::etag, json, reply::REPLAYED};

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
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    version: Option<u64>,
    replayed: bool,
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
    /// Every invalid field of the request.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
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
            errors: Vec::new(),
            retry_after: None,
            version: None,
            replayed: false,
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

    /// One field whose value cannot be: `payment.method` is at `/payment/method`.
    pub fn invalid(field: &str, code: FieldCode, detail: impl std::fmt::Display) -> Self {
        let pointer = format!("/{}", field.replace('.', "/"));
        Self::new(Code::InvalidField, format!("{field}: {detail}")).at(FieldError {
            pointer,
            code,
            detail: detail.to_string(),
        })
    }

    /// Names a field that is to blame.
    #[must_use]
    pub fn at(mut self, error: FieldError) -> Self {
        self.0.errors.push(error);
        self
    }

    /// The fields to blame are parts of what stands there.
    #[must_use]
    pub fn within(mut self, pointer: &str) -> Self {
        for error in &mut self.0.errors {
            error.pointer.insert_str(0, pointer);
        }
        self
    }

    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// The key's earlier request had this outcome.
    #[must_use]
    pub fn replayed(mut self) -> Self {
        self.0.replayed = true;
        self
    }

    /// 412: the thing is at `version`, which also goes out as the `ETag`; at 0 it does not exist.
    pub fn stale(version: u64) -> Self {
        if version == 0 {
            return Self::new(Code::VersionMismatch, "it does not exist");
        }
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

    /// As everybody may read it: of what is available, no more than is told.
    #[must_use]
    pub fn told_to(mut self, caller: Caller, disclosure: Disclosure) -> Self {
        fn cap(value: &mut Value, disclosure: Disclosure) {
            if let Some(available) = value.as_i64() {
                *value = disclosure.of(available).into();
            }
        }
        if matches!(caller, Caller::Service | Caller::Engine) {
            return self;
        }
        if let Some(available) = self.0.fields.get_mut("available") {
            cap(available, disclosure);
        }
        let items = self.0.fields.get_mut("items").and_then(Value::as_array_mut);
        for available in items.into_iter().flatten().filter_map(|item| item.get_mut("available")) {
            cap(available, disclosure);
        }
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }
}

/// Checks of the elements of a list: what any of them has to say is said at once.
pub fn all<T>(results: impl Iterator<Item = Result<T, Problem>>) -> Result<Vec<T>, Problem> {
    let mut all = Ok(Vec::new());
    for result in results {
        all = both(all, result).map(|(mut before, next)| {
            before.push(next);
            before
        });
    }
    all
}

/// Two checks of one request: what both have to say is said at once.
pub fn both<A, B>(one: Result<A, Problem>, other: Result<B, Problem>) -> Result<(A, B), Problem> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(problem), Ok(_)) | (Ok(_), Err(problem)) => Err(problem),
        (Err(mut problem), Err(other)) => {
            problem.0.errors.extend(other.0.errors);
            Err(problem)
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts { code, detail, fields, errors, retry_after, version, replayed } = *self.0;
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
            errors: &errors,
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
        if replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
