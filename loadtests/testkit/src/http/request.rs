//! What is asked.

use std::fmt::Write as _;

use serde_json::Value;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    Guest,
    /// With the shop's service token, which the client has.
    Service,
    /// With an access token.
    User(String),
}

/// One request, which can be sent again.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: &'static str,
    /// From the `/` on, with the query.
    pub path: String,
    pub body: Option<Value>,
    /// The `Idempotency-Key`.
    pub key: Option<String>,
    pub caller: Caller,
}

impl Request {
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), body: None, key: None, caller: Caller::Guest }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new("POST", path).body(body)
    }

    pub fn put(path: impl Into<String>, body: Value) -> Self {
        Self::new("PUT", path).body(body)
    }

    #[must_use]
    pub fn body(self, body: impl Into<Option<Value>>) -> Self {
        Self { body: body.into(), ..self }
    }

    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    #[must_use]
    pub fn by(self, caller: Caller) -> Self {
        Self { caller, ..self }
    }

    /// With the service token.
    #[must_use]
    pub fn by_service(self) -> Self {
        self.by(Caller::Service)
    }

    /// Its bytes.
    pub fn render(&self, service_token: &str) -> Vec<u8> {
        let token = match &self.caller {
            Caller::Guest => None,
            Caller::Service => Some(service_token),
            Caller::User(token) => Some(token.as_str()),
        };
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = Vec::new();
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        headers.extend(self.key.as_deref().map(|key| ("idempotency-key", key)));
        let body = self.body.as_ref().map(Value::to_string);
        render(self.method, &self.path, &headers, body.as_deref())
    }
}

/// A request's bytes.
pub fn render(method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{name}: {value}\r\n");
    }
    if let Some(body) = body {
        let _ =
            write!(text, "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    } else {
        text.push_str("\r\n");
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_is_rendered_with_its_length() {
        let request = render("POST", "/v1/carts", &[("idempotency-key", "k1")], Some("{}"));
        let text = String::from_utf8(request).unwrap();
        assert!(
            text.starts_with("POST /v1/carts HTTP/1.1\r\nhost: localhost\r\nidempotency-key: k1\r\n"),
            "{text}"
        );
        assert!(text.ends_with("content-length: 2\r\n\r\n{}"), "{text}");
    }

    #[test]
    fn a_caller_is_known_by_its_token() {
        let text = |request: Request| String::from_utf8(request.render("the-service")).unwrap();
        assert!(!text(Request::get("/")).contains("authorization"));
        assert!(text(Request::get("/").by_service()).contains("authorization: Bearer the-service\r\n"));
        let user = Request::put("/", json!({})).key("k").by(Caller::User("a-user".into()));
        assert!(text(user.clone()).contains("authorization: Bearer a-user\r\nidempotency-key: k\r\n"));
        assert!(text(user).ends_with("content-length: 2\r\n\r\n{}"));
    }
}
