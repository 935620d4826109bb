//! What is answered.

use std::{fmt, time::Duration};

use anyhow::Context;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A whole response, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Response {
    /// `head` is the status line and the headers, as they came.
    pub(super) const fn new(status: u16, head: String, body: Vec<u8>) -> Self {
        Self { status, head, body }
    }

    /// A header's value; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("the answer is not what was expected: {}", self.excerpt()))
    }

    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..300)
    }

    /// Whether it repeats the outcome of an earlier request with the same key.
    pub fn is_replayed(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// Whether the server closes the connection after it.
    pub(super) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// The problem's `code`, or the status in figures.
    pub fn code(&self) -> String {
        let code = self.problem().and_then(|problem| Some(problem.get("code")?.as_str()?.to_owned()));
        code.unwrap_or_else(|| self.status.to_string())
    }

    /// Whether the request may be tried again with the same key.
    pub const fn is_temporary(&self) -> bool {
        self.status >= 500 || self.status == 429
    }

    /// How long the server asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        let exact = self.problem().and_then(|problem| problem.get("retry_after_ms")?.as_u64());
        let seconds = || self.header("retry-after")?.parse().ok().map(Duration::from_secs);
        exact.map(Duration::from_millis).or_else(seconds)
    }

    fn problem(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(300).collect()
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.excerpt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &str, body: &str) -> Response {
        Response::new(status, format!("HTTP/1.1 {status}\r\n{headers}\r\n"), body.into())
    }

    #[test]
    fn a_header_is_found_whatever_its_case() {
        let response = response(200, "Idempotent-Replayed: true\r\n", "");
        assert!(response.is_replayed());
        assert_eq!(response.header("etag"), None);
    }

    #[test]
    fn given_an_overloaded_server_then_its_pause_is_honoured_and_the_finer_one_wins() {
        assert_eq!(response(503, "retry-after: 2\r\n", "").retry_after(), Some(Duration::from_secs(2)));
        let both = r#"{"code": "overloaded", "retry_after_ms": 40}"#;
        let both = response(429, "retry-after: 1\r\n", both);
        assert_eq!(both.retry_after(), Some(Duration::from_millis(40)));
        assert!(both.is_temporary() && !response(409, "", "").is_temporary());
    }

    #[test]
    fn given_a_problem_then_its_code_is_read_and_else_the_status() {
        assert_eq!(response(404, "", r#"{"code": "unknown_sku"}"#).code(), "unknown_sku");
        assert_eq!(response(404, "", "nothing here").code(), "404");
    }
}
