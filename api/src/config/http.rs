use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::http::HeaderValue;

use super::setting::{ConfigError, positive, settings};
use crate::{
    front::{FrontConfig, Origins},
    limits::BodyLimit,
    server::ServerConfig,
};

settings! {
    /// The public listener.
    HttpSettings {
        /// Where the service listens [127.0.0.1:8080; 0.0.0.0:8080 lets other machines in]
        listen: SocketAddr = "SMARTCART_LISTEN",
        /// Connections open at the same time [10000]
        max_connections: usize = "SMARTCART_MAX_CONNECTIONS",
        /// Seconds for a request's head; it also ends idle connections [30]
        header_timeout_seconds: u64 = "SMARTCART_HEADER_TIMEOUT_SECONDS",
        /// Seconds for a request's body [15]
        body_timeout_seconds: u64 = "SMARTCART_BODY_TIMEOUT_SECONDS",
        /// Seconds for an answer [15]
        request_timeout_seconds: u64 = "SMARTCART_REQUEST_TIMEOUT_SECONDS",
        /// Bytes of a body [65536]
        max_body_bytes: usize = "SMARTCART_MAX_BODY_BYTES",
        /// Bytes of a bulk import's body [33554432]
        max_import_bytes: usize = "SMARTCART_MAX_IMPORT_BYTES",
        /// Origins of storefronts that run in a browser, such as https://shop.example, with commas between; * for any [none]
        cors_origins: String = "SMARTCART_CORS_ORIGINS",
        /// Bytes above which an answer is compressed, where the client takes it; 0 compresses nothing [1024]
        compress_above_bytes: u64 = "SMARTCART_COMPRESS_ABOVE_BYTES",
        /// Seconds for requests under way when the server stops [20]
        stop_timeout_seconds: u64 = "SMARTCART_STOP_TIMEOUT_SECONDS",
    }
}

/// Bounds of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestConfig {
    pub body: BodyLimit,
    pub import: BodyLimit,
    pub deadline: Duration,
}

/// Bytes of one request's head.
const HEADER_BYTES: usize = 16 * 1024;
/// An import may be this many times as slow as another body.
const IMPORT_PATIENCE: u32 = 4;

impl HttpSettings {
    pub fn build(self) -> Result<(ServerConfig, RequestConfig, FrontConfig), ConfigError> {
        let seconds = |setting, value: Option<u64>, default| {
            positive(setting, value.unwrap_or(default)).map(Duration::from_secs)
        };
        let body_time = seconds("body_timeout_seconds", self.body_timeout_seconds, 15)?;
        let server = ServerConfig {
            listen: self.listen.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 8080).into()),
            connections: positive("max_connections", self.max_connections.unwrap_or(10_000))?,
            header_time: seconds("header_timeout_seconds", self.header_timeout_seconds, 30)?,
            header_bytes: HEADER_BYTES,
            grace: seconds("stop_timeout_seconds", self.stop_timeout_seconds, 20)?,
        };
        let requests = RequestConfig {
            body: BodyLimit {
                bytes: positive("max_body_bytes", self.max_body_bytes.unwrap_or(64 * 1024))?,
                time: body_time,
            },
            import: BodyLimit {
                bytes: positive("max_import_bytes", self.max_import_bytes.unwrap_or(32 << 20))?,
                time: body_time * IMPORT_PATIENCE,
            },
            deadline: seconds("request_timeout_seconds", self.request_timeout_seconds, 15)?,
        };
        let front = FrontConfig {
            origins: origins(self.cors_origins.as_deref().unwrap_or_default())?,
            compress_above: Some(self.compress_above_bytes.unwrap_or(1024)).filter(|bytes| *bytes > 0),
        };
        Ok((server, requests, front))
    }
}

fn origins(text: &str) -> Result<Origins, ConfigError> {
    let mut named = text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).peekable();
    if named.peek().is_none() {
        return Ok(Origins::Nobody);
    }
    if text.trim() == "*" {
        return Ok(Origins::Anybody);
    }
    named.map(origin).collect::<Result<_, _>>().map(Origins::These)
}

/// A scheme and a host, as a browser sends them: anything else would never be met.
fn origin(text: &str) -> Result<HeaderValue, ConfigError> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_one = host.is_some_and(|host| {
        !host.is_empty() && !host.contains(['/', '*', '@']) && *host == host.to_ascii_lowercase()
    });
    let value = HeaderValue::from_str(text).ok().filter(|_| is_one);
    value.ok_or_else(|| {
        ConfigError::value("cors_origins", format!("'{text}' is no origin such as https://shop.example"))
    })
}
