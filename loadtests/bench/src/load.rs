//! The load client: a closed loop on each of so many connections, all on one thread.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::Context;
use hdrhistogram::Histogram;
use smartcart_testkit::http::{Connection, Response};
use tokio::task::LocalSet;

use crate::source::Source;

/// Latencies are kept from a microsecond to a minute, with three digits.
const LOWEST_NS: u64 = 1_000;
const HIGHEST_NS: u64 = 60_000_000_000;

/// What a slice, or several of them together, measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Answers with the expected status.
    pub requests: u64,
    /// Other answers, by status.
    pub unexpected: BTreeMap<u16, u64>,
    /// The body of the first of them.
    pub example: Option<String>,
    /// Nanoseconds.
    pub latency: Histogram<u64>,
    pub elapsed: Duration,
    /// Bytes of the bodies.
    pub bytes: u64,
}

impl Measured {
    pub fn nothing() -> anyhow::Result<Self> {
        let latency =
            Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, 3).context("the histogram's bounds")?;
        Ok(Self {
            requests: 0,
            unexpected: BTreeMap::new(),
            example: None,
            latency,
            elapsed: Duration::ZERO,
            bytes: 0,
        })
    }

    pub fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.elapsed += other.elapsed;
        self.example = self.example.take().or_else(|| other.example.clone());
        for (status, count) in &other.unexpected {
            *self.unexpected.entry(*status).or_default() += count;
        }
        self.latency.add(&other.latency).context("histograms of one shape")
    }

    pub fn record(&mut self, status: u16, expected: u16, took: Duration, body: &[u8]) {
        if status == expected {
            self.requests += 1;
            self.bytes += body.len() as u64;
        } else {
            *self.unexpected.entry(status).or_default() += 1;
            self.example.get_or_insert_with(|| String::from_utf8_lossy(body).into_owned());
        }
        Self::record_latency(&mut self.latency, took);
    }

    pub fn record_latency(latency: &mut Histogram<u64>, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(HIGHEST_NS);
        latency.saturating_record(nanoseconds.clamp(LOWEST_NS, HIGHEST_NS));
    }
}

/// Opens the connections, and then sends from `source` until `length` has passed or it runs dry.
pub async fn drive(
    address: SocketAddr,
    connections: usize,
    length: Duration,
    expected: u16,
    source: impl Source + 'static,
) -> anyhow::Result<Measured> {
    let mut open = open(address, connections).await?;
    drive_over(&mut open, length, expected, &Rc::new(RefCell::new(source))).await
}

pub async fn open(address: SocketAddr, connections: usize) -> anyhow::Result<Vec<Connection>> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(address).await.with_context(|| format!("connecting to {address}"))?);
    }
    Ok(open)
}

/// As `drive`, over connections that are open and stay so.
pub async fn drive_over<S: Source + 'static>(
    connections: &mut Vec<Connection>,
    length: Duration,
    expected: u16,
    source: &Rc<RefCell<S>>,
) -> anyhow::Result<Measured> {
    let measured = Rc::new(RefCell::new(Measured::nothing()?));
    let started = Instant::now();
    let tasks = LocalSet::new();
    let loops: Vec<_> = connections
        .drain(..)
        .map(|connection| {
            let (measured, source) = (measured.clone(), source.clone());
            tasks.spawn_local(closed_loop(connection, source, measured, started + length, expected))
        })
        .collect();
    tasks.await;
    for ended in loops {
        connections.push(ended.await.context("a connection's loop")??);
    }
    let mut measured = measured.borrow().clone();
    measured.elapsed = started.elapsed();
    Ok(measured)
}

async fn closed_loop<S: Source>(
    mut connection: Connection,
    source: Rc<RefCell<S>>,
    measured: Rc<RefCell<Measured>>,
    deadline: Instant,
    expected: u16,
) -> anyhow::Result<Connection> {
    let mut request = Vec::with_capacity(512);
    let mut sent = Instant::now();
    while sent < deadline {
        request.clear();
        if !source.borrow_mut().next(&mut request) {
            break;
        }
        sent = Instant::now();
        let head = connection.exchange(&request).await.context("the server broke a connection off")?;
        let received = Instant::now();
        measured.borrow_mut().record(head.status, expected, received - sent, connection.body(head));
        sent = received;
    }
    Ok(connection)
}

/// Sends each request once over so many connections and hands each response to `receive`: for setting things up.
pub async fn send_all(
    address: SocketAddr,
    connections: usize,
    source: impl Source + 'static,
    receive: impl FnMut(&Response) -> anyhow::Result<()> + 'static,
) -> anyhow::Result<()> {
    let source = Rc::new(RefCell::new(source));
    let receive = Rc::new(RefCell::new(receive));
    let tasks = LocalSet::new();
    let loops: Vec<_> = (0..connections)
        .map(|_| {
            let (source, receive) = (source.clone(), receive.clone());
            tasks.spawn_local(async move {
                let mut connection = Connection::open(address).await?;
                let mut request = Vec::with_capacity(512);
                loop {
                    request.clear();
                    if !source.borrow_mut().next(&mut request) {
                        return anyhow::Ok(());
                    }
                    let response = connection.call(&request).await?;
                    receive.borrow_mut()(&response)?;
                }
            })
        })
        .collect();
    tasks.await;
    for ended in loops {
        ended.await.context("a connection's loop")??;
    }
    Ok(())
}
