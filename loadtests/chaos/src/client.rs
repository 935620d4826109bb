//! Sends a request and says what is known of it afterwards.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::bail;
use serde_json::Value;
use smartcart_testkit::http::{Connection, Request, Response};

use crate::endpoints::{Endpoints, Opened};

/// An answer later than this is none. The server gives up before.
const PATIENCE: Duration = Duration::from_secs(8);

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

impl Outcome {
    /// The answer of a request that nothing may stand against.
    pub fn done(self) -> anyhow::Result<Answer> {
        match self {
            Self::Acknowledged(answer) => Ok(answer),
            other => bail!("unexpected: {other:?}"),
        }
    }
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

/// One client: a keep-alive connection that is opened again when it breaks, at the next endpoint when there are several.
#[derive(Debug)]
pub struct Client {
    endpoints: Arc<Endpoints>,
    /// Which of them it uses.
    endpoint: usize,
    token: Arc<str>,
    ticks: Ticks,
    connection: Option<(Opened, Connection)>,
}

impl Client {
    pub fn new(endpoints: Arc<Endpoints>, token: &str, ticks: Ticks) -> Self {
        let endpoint = endpoints.next();
        Self { endpoints, endpoint, token: token.into(), ticks, connection: None }
    }

    /// Sends it once.
    pub async fn send(&mut self, request: &Request) -> Timed {
        let (sent, began) = (self.ticks.next(), Instant::now());
        let outcome = self.attempt(request).await;
        Timed { sent, answered: self.ticks.next(), took: began.elapsed(), outcome }
    }

    async fn attempt(&mut self, request: &Request) -> Outcome {
        let bytes = request.render(&self.token);
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
        let why = format!("{}: {why}", self.endpoints.address(self.endpoint));
        self.endpoint += 1;
        Outcome::Indeterminate(why)
    }

    /// A connection at this client's endpoint, or at another one that is open.
    async fn connected(&mut self) -> Option<(Opened, Connection)> {
        for _ in 0..self.endpoints.len() {
            if let Some(opened) = self.endpoints.open(self.endpoint) {
                match self.connection.take() {
                    Some((before, connection)) if before == opened && !connection.is_closed() => {
                        return Some((opened, connection));
                    }
                    _ => {}
                }
                let opening = Connection::open(self.endpoints.address(self.endpoint));
                if let Ok(Ok(connection)) = tokio::time::timeout(PATIENCE, opening).await {
                    return Some((opened, connection));
                }
            }
            self.endpoint += 1;
        }
        None
    }
}

fn classify(response: &Response) -> Outcome {
    let answer = Answer {
        status: response.status,
        replayed: response.is_replayed(),
        body: serde_json::from_slice(&response.body).unwrap_or(Value::Null),
    };
    match response.status {
        200..300 => Outcome::Acknowledged(answer),
        400..500 => Outcome::Refused(answer),
        status => Outcome::Indeterminate(format!("{status} {}", answer.body)),
    }
}
