//! Sends a request and says what is known of it afterwards.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

use crate::wire::{Connection, Response, render};

/// An answer later than this is none.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub body: Option<Value>,
    pub key: Option<String>,
    /// With the service token; else as a guest.
    pub service: bool,
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub replayed: bool,
    pub body: Value,
}

#[derive(Debug, Clone)]
pub enum Outcome {
    /// No byte of it left this process.
    NotSent,
    /// A time-out, a broken connection, a 5xx: made or not.
    Indeterminate(String),
    /// A 4xx: nothing has changed.
    Refused(Answer),
    /// A 2xx: durable.
    Acknowledged(Answer),
}

/// Orders what the clients do: every sending and every receiving takes the next number.
#[derive(Debug, Clone, Default)]
pub struct Ticks(Arc<AtomicU64>);

impl Ticks {
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// An outcome, and when it was asked for and known.
#[derive(Debug, Clone)]
pub struct Timed {
    pub sent: u64,
    pub answered: u64,
    pub outcome: Outcome,
}

/// One client: a keep-alive connection that is opened again when it breaks.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    token: Arc<str>,
    ticks: Ticks,
    connection: Option<Connection>,
}

impl Client {
    pub fn new(address: SocketAddr, token: &str, ticks: Ticks) -> Self {
        Self { address, token: token.into(), ticks, connection: None }
    }

    pub async fn send(&mut self, request: &Request) -> Timed {
        let sent = self.ticks.next();
        let outcome = self.attempt(request).await;
        Timed { sent, answered: self.ticks.next(), outcome }
    }

    async fn attempt(&mut self, request: &Request) -> Outcome {
        let bytes = self.rendered(request);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => match Connection::open(self.address).await {
                Ok(connection) => connection,
                Err(_) => return Outcome::NotSent,
            },
        };
        match tokio::time::timeout(PATIENCE, connection.call(&bytes)).await {
            Err(_) => Outcome::Indeterminate(format!("no answer within {PATIENCE:?}")),
            Ok(Err(error)) => Outcome::Indeterminate(error.to_string()),
            Ok(Ok(response)) => {
                if response.header("connection") != Some("close") {
                    self.connection = Some(connection);
                }
                classify(&response)
            }
        }
    }

    fn rendered(&self, request: &Request) -> Vec<u8> {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = Vec::new();
        if request.service {
            headers.push(("authorization", bearer.as_str()));
        }
        if let Some(key) = &request.key {
            headers.push(("idempotency-key", key));
        }
        let body = request.body.as_ref().map(Value::to_string);
        render(request.method, &request.path, &headers, body.as_deref())
    }
}

fn classify(response: &Response) -> Outcome {
    let answer = Answer {
        status: response.status,
        replayed: response.header("idempotency-replayed") == Some("true"),
        body: serde_json::from_slice(&response.body).unwrap_or(Value::Null),
    };
    match response.status {
        200..300 => Outcome::Acknowledged(answer),
        400..500 => Outcome::Refused(answer),
        status => Outcome::Indeterminate(format!("{status} {}", answer.body)),
    }
}

impl Request {
    pub fn read(path: String, service: bool) -> Self {
        Self { method: "GET", path, body: None, key: None, service }
    }
}
