//! Sends a request and says what is known of it afterwards.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use super::doors::{Doors, Opened};
use crate::wire::{Connection, Response, render};

/// An answer later than this is none. The server gives up before.
const PATIENCE: Duration = Duration::from_secs(8);

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
    pub took: Duration,
    pub outcome: Outcome,
}

/// One client: a keep-alive connection that is opened again when it breaks, at the next door when there are several.
#[derive(Debug)]
pub struct Client {
    doors: Arc<Doors>,
    /// Which of them it uses.
    door: usize,
    token: Arc<str>,
    ticks: Ticks,
    connection: Option<(Opened, Connection)>,
}

impl Client {
    pub fn new(doors: Arc<Doors>, token: &str, ticks: Ticks) -> Self {
        let door = doors.next();
        Self { doors, door, token: token.into(), ticks, connection: None }
    }

    /// Sends it once.
    pub async fn send(&mut self, request: &Request) -> Timed {
        let (sent, began) = (self.ticks.next(), Instant::now());
        let outcome = self.attempt(request).await;
        Timed { sent, answered: self.ticks.next(), took: began.elapsed(), outcome }
    }

    async fn attempt(&mut self, request: &Request) -> Outcome {
        let bytes = self.rendered(request);
        let Some((opened, mut connection)) = self.connected().await else { return Outcome::NotSent };
        match tokio::time::timeout(PATIENCE, connection.call(&bytes)).await {
            Err(_) => self.lost(&format!("no answer within {PATIENCE:?}")),
            Ok(Err(error)) => self.lost(&error.to_string()),
            Ok(Ok(response)) => {
                if response.header("connection") != Some("close") {
                    self.connection = Some((opened, connection));
                }
                classify(&response)
            }
        }
    }

    /// Whoever does not answer is not asked next.
    fn lost(&mut self, why: &str) -> Outcome {
        let why = format!("{}: {why}", self.doors.address(self.door));
        self.door += 1;
        Outcome::Indeterminate(why)
    }

    /// A connection at this client's door, or at another one that is open.
    async fn connected(&mut self) -> Option<(Opened, Connection)> {
        for _ in 0..self.doors.len() {
            if let Some(opened) = self.doors.open(self.door) {
                match self.connection.take() {
                    Some((before, connection)) if before == opened && !connection.is_closed() => {
                        return Some((opened, connection));
                    }
                    _ => {}
                }
                let opening = Connection::open(self.doors.address(self.door));
                if let Ok(Ok(connection)) = tokio::time::timeout(PATIENCE, opening).await {
                    return Some((opened, connection));
                }
            }
            self.door += 1;
        }
        None
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
