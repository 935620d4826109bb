//! A small JSON client over kept-alive HTTP/1.1 connections, with retries that are safe because the keys are.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const TIME_OUT: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

type Connection = SendRequest<Full<Bytes>>;

/// One shop, by its servers: each has the same goods, and each request goes to the next one.
#[derive(Debug)]
pub struct Client {
    servers: Vec<Server>,
    patience: Duration,
    turn: AtomicUsize,
    sent: AtomicU64,
    retried: AtomicU64,
}

/// One server, and the connections to it that wait for their next request.
#[derive(Debug)]
struct Server {
    /// `host:port`.
    authority: String,
    idle: Mutex<Vec<Connection>>,
}

/// One request. A change needs a key, or must be harmless when it comes twice.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    /// From the `/` on, with the query.
    pub path: String,
    pub token: Option<String>,
    pub key: Option<String>,
    pub body: Option<Value>,
}

/// The server's answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), token: None, key: None, body: None }
    }

    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(path) }
    }

    pub fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, body: Some(body), ..Self::get(path) }
    }

    /// With an `Idempotency-Key`.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// With a bearer token, if there is one.
    #[must_use]
    pub fn token(self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self }
    }
}

impl Reply {
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("the answer is not what was expected: {}", self.excerpt()))
    }

    /// The problem's `code`, or the status in figures.
    pub fn code(&self) -> String {
        let code = self.problem().and_then(|problem| Some(problem.get("code")?.as_str()?.to_owned()));
        code.unwrap_or_else(|| self.status.as_str().to_owned())
    }

    fn problem(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(300).collect()
    }

    /// Whether the request may be tried again with the same key.
    fn is_temporary(&self) -> bool {
        self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS
    }

    /// How long the server asks to wait.
    fn retry_after(&self) -> Option<Duration> {
        let exact = self.problem().and_then(|problem| problem.get("retry_after_ms")?.as_u64());
        let seconds = || self.headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs);
        exact.map(Duration::from_millis).or_else(seconds)
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.status, self.excerpt())
    }
}

impl Client {
    /// A client of `http://host[:port]`, one or several, which retries a request for at most `patience`.
    pub fn new<U: AsRef<str>>(base_urls: &[U], patience: Duration) -> Result<Self> {
        ensure!(!base_urls.is_empty(), "name a server");
        let servers = base_urls.iter().map(|url| Server::new(url.as_ref())).collect::<Result<_>>()?;
        Ok(Self {
            servers,
            patience,
            turn: AtomicUsize::new(0),
            sent: AtomicU64::new(0),
            retried: AtomicU64::new(0),
        })
    }

    /// Requests answered so far, retries included.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }

    /// The answer to the call. A lost connection, a 5xx and a 429 are tried again, with the same key and after the
    /// pause that the server asks for.
    pub async fn send(&self, call: &Call) -> Result<Reply> {
        let deadline = Instant::now() + self.patience;
        let mut pause = FIRST_PAUSE;
        loop {
            let (asked, error) = match self.once(call).await {
                Ok(reply) if !reply.is_temporary() => return Ok(reply),
                Ok(reply) => (reply.retry_after(), anyhow::anyhow!("it answers {reply}")),
                Err(error) => (None, error),
            };
            let pause_now = asked.unwrap_or(pause);
            if Instant::now() + pause_now > deadline {
                let patience = self.patience.as_secs();
                return Err(error).with_context(|| {
                    format!("{} {} did not succeed within {patience} s", call.method, call.path)
                });
            }
            self.retried.fetch_add(1, Ordering::Relaxed);
            sleep(pause_now).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One try, at the next server. An error says nothing about whether the server has done it.
    pub async fn once(&self, call: &Call) -> Result<Reply> {
        let server = &self.servers[self.turn.fetch_add(1, Ordering::Relaxed) % self.servers.len()];
        let Ok(reply) = timeout(TIME_OUT, server.exchange(call)).await else {
            bail!("{} has not answered within {} s", server.authority, TIME_OUT.as_secs())
        };
        self.sent.fetch_add(u64::from(reply.is_ok()), Ordering::Relaxed);
        reply
    }
}

impl Server {
    fn new(base_url: &str) -> Result<Self> {
        let uri: Uri = base_url.parse().with_context(|| format!("'{base_url}' is no URL"))?;
        ensure!(uri.scheme_str() == Some("http"), "'{base_url}' does not begin with http://");
        ensure!(matches!(uri.path(), "" | "/"), "'{base_url}' has a path; name the server only");
        let host = uri.host().with_context(|| format!("'{base_url}' has no host"))?;
        Ok(Self { authority: format!("{host}:{}", uri.port_u16().unwrap_or(80)), idle: Mutex::default() })
    }

    async fn exchange(&self, call: &Call) -> Result<Reply> {
        let mut connection = self.connection().await?;
        let response = connection.send_request(self.request(call)?).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await?.to_bytes();
        if !connection.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(Reply { status, headers, body })
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>> {
        let mut request =
            Request::builder().method(&call.method).uri(&call.path).header(HOST, self.authority.as_str());
        if let Some(token) = &call.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key.as_str());
        }
        let body = match &call.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Bytes::from(serde_json::to_vec(body)?)
            }
            None => Bytes::new(),
        };
        Ok(request.body(Full::new(body))?)
    }

    async fn connection(&self) -> Result<Connection> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut connection) = idle else { return self.connect().await };
            if connection.ready().await.is_ok() {
                return Ok(connection);
            }
        }
    }

    async fn connect(&self) -> Result<Connection> {
        let stream = TcpStream::connect(&self.authority)
            .await
            .with_context(|| format!("cannot connect to {}", self.authority))?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Its errors reach the sender's next request.
        tokio::spawn(connection);
        sender.ready().await?;
        Ok(sender)
    }
}

#[cfg(test)]
mod tests;
