//! Requests over connections that are kept open, with retries that are safe because the keys are.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use tokio::time::{Instant, sleep, timeout};

use super::{connection::Connection, request::Request, response::Response};

const TIME_OUT: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One shop, by its servers: each has the same goods, and each request goes to the next one.
#[derive(Debug)]
pub struct Client {
    servers: Vec<Server>,
    service_token: String,
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

impl Client {
    /// A client of `http://host[:port]`, one or several, which retries a request for at most `patience`.
    pub fn new<U: AsRef<str>>(
        base_urls: &[U],
        service_token: impl Into<String>,
        patience: Duration,
    ) -> Result<Self> {
        ensure!(!base_urls.is_empty(), "name a server");
        let servers = base_urls.iter().map(|url| Server::new(url.as_ref())).collect::<Result<_>>()?;
        Ok(Self {
            servers,
            service_token: service_token.into(),
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

    /// The answer to the request. A lost connection, a 5xx and a 429 are tried again, with the same key and after the
    /// pause that the server asks for: a change needs a key, or must be harmless when it comes twice.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        let deadline = Instant::now() + self.patience;
        let mut pause = FIRST_PAUSE;
        loop {
            let (asked, error) = match self.once(request).await {
                Ok(response) if !response.is_temporary() => return Ok(response),
                Ok(response) => (response.retry_after(), anyhow!("it answers {response}")),
                Err(error) => (None, error),
            };
            let pause_now = asked.unwrap_or(pause);
            if Instant::now() + pause_now > deadline {
                let patience = self.patience.as_secs();
                return Err(error).with_context(|| {
                    format!("{} {} did not succeed within {patience} s", request.method, request.path)
                });
            }
            self.retried.fetch_add(1, Ordering::Relaxed);
            sleep(pause_now).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One try, at the next server. An error says nothing about whether the server has done it.
    pub async fn once(&self, request: &Request) -> Result<Response> {
        let server = &self.servers[self.turn.fetch_add(1, Ordering::Relaxed) % self.servers.len()];
        let bytes = request.render(&self.service_token);
        let Ok(response) = timeout(TIME_OUT, server.exchange(&bytes)).await else {
            bail!("{} has not answered within {} s", server.authority, TIME_OUT.as_secs())
        };
        self.sent.fetch_add(u64::from(response.is_ok()), Ordering::Relaxed);
        response
    }
}

impl Server {
    fn new(base_url: &str) -> Result<Self> {
        Ok(Self { authority: authority_of(base_url)?, idle: Mutex::default() })
    }

    async fn exchange(&self, request: &[u8]) -> Result<Response> {
        let mut connection = self.connection().await?;
        let response = connection.call(request).await?;
        if !response.closes() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        Ok(response)
    }

    async fn connection(&self) -> Result<Connection> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(connection) if connection.is_closed() => {}
                Some(connection) => return Ok(connection),
                None => break,
            }
        }
        let opening = Connection::open(&self.authority).await;
        opening.with_context(|| format!("cannot connect to {}", self.authority))
    }
}

/// `host:port` of a server's base URL.
pub fn authority_of(base_url: &str) -> Result<String> {
    let rest = base_url
        .strip_prefix("http://")
        .with_context(|| format!("'{base_url}' does not begin with http://"))?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    ensure!(!authority.contains(['/', '?', '#', '@']), "'{base_url}' has a path; name the server only");
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    ensure!(!host.is_empty(), "'{base_url}' has no host");
    Ok(if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") })
}

#[cfg(test)]
mod tests;
