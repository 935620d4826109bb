//! Load that does not wait for its answers: requests begin at times that were drawn beforehand, whatever has become of the
//! ones before. A latency counts from the time at which a request was meant to begin, so that what waits in front of a slow
//! server is seen, where a closed loop would only ask less often (Tene: "coordinated omission").
#![expect(clippy::float_arithmetic, reason = "rates and times between arrivals")]

use std::{
    cell::RefCell,
    fmt,
    net::SocketAddr,
    path::Path,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use rand_distr::{Distribution as _, Exp};
use smartcart_testkit::{
    http::Connection,
    ops::{CATCHES_UP_WITHIN, drained},
    random::{Rng, seeded},
    report::{Table, counts, milliseconds},
    server::Launch,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::LocalSet,
};

use crate::{
    child::Subject,
    load::Measured,
    scenario::{Load, Scenario},
    settings::SETTINGS,
    shop::Shop,
    source::Source,
};

/// A request that begins later than this after its time is late: it waited for a connection, or for this client.
const LATE_AFTER: Duration = Duration::from_millis(1);
/// Arrivals that this client has not seen yet.
const UNSEEN: usize = 1 << 16;
/// Of an arrival's answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// When requests begin, and how many may be under way.
#[derive(Debug, Clone, Copy)]
pub struct Arrivals {
    /// Requests a second, on average; the times between them are exponentially distributed.
    pub rate: f64,
    pub length: Duration,
    /// A request that finds so many under way waits for one of them to be answered.
    pub connections: usize,
    pub seed: u64,
}

/// What came of the arrivals.
#[derive(Debug)]
pub struct Outcome {
    pub scenario: Scenario,
    pub rate: f64,
    pub length: Duration,
    pub arrived: u64,
    /// Answers as expected, and others that are not shed; latencies from the intended start.
    pub measured: Measured,
    /// Latencies of the same answers from when they were sent.
    pub service: Histogram<u64>,
    /// 429 and 503.
    pub shed: u64,
    /// Begun late.
    pub late: u64,
    /// Without an answer: the connection broke, or nothing came.
    pub broken: u64,
}

impl Outcome {
    fn new(scenario: Scenario, arrivals: &Arrivals) -> anyhow::Result<Self> {
        let measured = Measured::nothing()?;
        Ok(Self {
            scenario,
            rate: arrivals.rate,
            length: arrivals.length,
            arrived: 0,
            service: measured.latency.clone(),
            measured,
            shed: 0,
            late: 0,
            broken: 0,
        })
    }

    /// Whether everything was answered, with what was expected or by being shed.
    pub fn is_clean(&self) -> bool {
        self.measured.requests > 0 && self.measured.unexpected.is_empty() && self.broken == 0
    }

    fn record(&mut self, intended: Instant, begun: Instant, status: u16, body: &[u8]) {
        let now = Instant::now();
        if matches!(status, 429 | 503) {
            self.shed += 1;
            return;
        }
        self.measured.record(status, self.scenario.expected_status(), now - intended, body);
        Measured::record_latency(&mut self.service, now - begun);
    }
}

/// Sends one request of `source` at each arrival.
pub async fn drive(
    address: SocketAddr,
    scenario: Scenario,
    arrivals: Arrivals,
    mut source: Box<dyn Source>,
) -> anyhow::Result<Outcome> {
    ensure!(arrivals.rate > 0.0 && arrivals.rate.is_finite(), "a rate is above zero");
    let shared = Rc::new(Shared {
        address,
        turns: Semaphore::new(arrivals.connections),
        idle: RefCell::default(),
        outcome: RefCell::new(Outcome::new(scenario, &arrivals)?),
    });
    let tasks = LocalSet::new();
    let (arriving, mut arrived) = mpsc::channel(UNSEEN);
    let began = Instant::now();
    // A thread of its own: the runtime's timer counts in milliseconds.
    let schedule = thread::spawn(move || announce(&arrivals, began, &arriving));
    let sending = async {
        while let Some(intended) = arrived.recv().await {
            let mut request = Vec::with_capacity(512);
            if !source.next(&mut request) {
                break;
            }
            tasks.spawn_local(send(shared.clone(), intended, request));
        }
    };
    tasks.run_until(sending).await;
    // It ends by itself when nobody hears it any more.
    drop(arrived);
    tasks.await;
    schedule.join().ok().context("the schedule of the arrivals")??;
    let shared = Rc::into_inner(shared).context("a request is still under way")?;
    let mut outcome = shared.outcome.into_inner();
    outcome.measured.elapsed = began.elapsed();
    Ok(outcome)
}

/// Sleeps from one arrival to the next. One that comes late is announced with its own time all the same.
fn announce(arrivals: &Arrivals, began: Instant, arriving: &mpsc::Sender<Instant>) -> anyhow::Result<()> {
    let between = Exp::new(arrivals.rate).context("the rate")?;
    let mut rng: Rng = seeded(arrivals.seed);
    let mut at = Duration::ZERO;
    loop {
        at += Duration::from_secs_f64(between.sample(&mut rng));
        if at >= arrivals.length {
            return Ok(());
        }
        let intended = began + at;
        thread::sleep(intended.saturating_duration_since(Instant::now()));
        if arriving.blocking_send(intended).is_err() {
            // The requests are used up.
            return Ok(());
        }
    }
}

struct Shared {
    address: SocketAddr,
    turns: Semaphore,
    idle: RefCell<Vec<Connection>>,
    outcome: RefCell<Outcome>,
}

async fn send(shared: Rc<Shared>, intended: Instant, request: Vec<u8>) {
    shared.outcome.borrow_mut().arrived += 1;
    // It is never closed.
    let Ok(_turn) = shared.turns.acquire().await else { return };
    let idle = shared.idle.borrow_mut().pop();
    let begun = Instant::now();
    if begun - intended > LATE_AFTER {
        shared.outcome.borrow_mut().late += 1;
    }
    let exchange = async {
        let mut connection = match idle {
            Some(connection) => connection,
            None => Connection::open(shared.address).await?,
        };
        let head = connection.exchange(&request).await?;
        shared.outcome.borrow_mut().record(intended, begun, head.status, connection.body(head));
        shared.idle.borrow_mut().push(connection);
        anyhow::Ok(())
    };
    if !matches!(tokio::time::timeout(PATIENCE, exchange).await, Ok(Ok(()))) {
        shared.outcome.borrow_mut().broken += 1;
    }
}

/// Starts a server with so many carts, and drives each scenario at each rate.
pub async fn run(
    server: &Path,
    directory: &Path,
    carts: usize,
    scenarios: &[Scenario],
    rates: &[Arrivals],
) -> anyhow::Result<Report> {
    let settings = SETTINGS.map(|(name, value)| (name, value.to_owned()));
    let subject = Subject::start(Launch::prepare(server, directory, &settings)?).await?;
    let Launch { listen: address, ops, token, .. } = &subject.launch;
    eprintln!("creating {carts} carts ...");
    let shop = Rc::new(Shop::set_up(*address, token, carts, 1).await?);
    shop.fill(*address).await?;
    let mut report = Report::default();
    for &scenario in scenarios {
        for (turn, &arrivals) in rates.iter().enumerate() {
            eprintln!("{}, {} a second ...", scenario.name(), arrivals.rate);
            let load =
                Load { address: *address, shop: &shop, token, connections: arrivals.connections, turn };
            let prepared = load.prepare(scenario, arrivals.most()).await?;
            drained(*ops, CATCHES_UP_WITHIN).await?;
            let source = load.source(scenario, prepared);
            report.0.push(drive(*address, scenario, arrivals, source).await?);
            load.until_over(scenario).await?;
        }
    }
    subject.stop().await?;
    Ok(report)
}

impl Arrivals {
    /// More than there will be, but for one run in many.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of requests")]
    fn most(&self) -> usize {
        let mean = self.rate * self.length.as_secs_f64();
        (mean + 6.0 * mean.sqrt()).ceil() as usize + 1
    }
}

/// Outcomes at several rates.
#[derive(Debug, Default)]
pub struct Report(pub Vec<Outcome>);

impl Report {
    pub fn is_clean(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(Outcome::is_clean)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Open loop: latency from the intended start; late requests began more than {LATE_AFTER:?} after it.\n"
        )?;
        let mut table = Table::new(&[
            "scenario",
            "#rate",
            "#arrived/s",
            "#answered/s",
            "#p50 ms",
            "#p99 ms",
            "#p99.9 ms",
            "#most ms",
            "#p99 ms once sent",
            "#late",
            "#shed",
            "#broken",
            "unexpected",
        ]);
        for outcome in &self.0 {
            let (measured, latency) = (&outcome.measured, &outcome.measured.latency);
            table.row(vec![
                outcome.scenario.name().to_owned(),
                format!("{:.0}", outcome.rate),
                format!("{:.0}", outcome.arrived as f64 / outcome.length.as_secs_f64()),
                format!("{:.0}", measured.requests as f64 / measured.elapsed.as_secs_f64()),
                milliseconds(latency.value_at_quantile(0.5)),
                milliseconds(latency.value_at_quantile(0.99)),
                milliseconds(latency.value_at_quantile(0.999)),
                milliseconds(latency.max()),
                milliseconds(outcome.service.value_at_quantile(0.99)),
                outcome.late.to_string(),
                outcome.shed.to_string(),
                outcome.broken.to_string(),
                counts(&measured.unexpected),
            ]);
        }
        write!(f, "{table}")
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::source::Repeated;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

    /// Takes one request at a time, from all connections, and `pause` for each.
    async fn slow_server(pause: Duration, answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let turn = Rc::new(Semaphore::new(1));
        tokio::task::spawn_local(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let turn = turn.clone();
                tokio::task::spawn_local(async move {
                    let mut buffer = [0; 512];
                    while let Ok(1..) = stream.read(&mut buffer).await {
                        let _turn = turn.acquire().await.unwrap();
                        tokio::time::sleep(pause).await;
                        let response = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
                        stream.write_all(response.as_bytes()).await.unwrap();
                    }
                });
            }
        });
        address
    }

    async fn measured(rate: f64, connections: usize, pause: Duration, answer: &'static str) -> Outcome {
        LocalSet::new()
            .run_until(async {
                let address = slow_server(pause, answer).await;
                let length = Duration::from_millis(300);
                let arrivals = Arrivals { rate, length, connections, seed: 1 };
                let source = Box::new(Repeated(REQUEST.to_vec()));
                drive(address, Scenario::ReadCart, arrivals, source).await.unwrap()
            })
            .await
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_waits_for_a_slow_server_is_counted_from_its_intended_start() {
        // 60 arrivals of 10 ms each in 300 ms: the last one waits for about 300 ms.
        let outcome = measured(200.0, 1, Duration::from_millis(10), "200 OK").await;
        assert!(outcome.is_clean(), "{outcome:?}");
        assert_eq!(outcome.measured.requests, outcome.arrived);
        let most = Duration::from_nanos(outcome.measured.latency.max());
        let once_sent = Duration::from_nanos(outcome.service.value_at_quantile(0.5));
        assert!(most > Duration::from_millis(100), "{most:?}");
        assert!(once_sent < Duration::from_millis(50), "{once_sent:?}: that is what a closed loop would see");
        assert!(outcome.late > outcome.arrived / 2, "{}", outcome.late);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_shed_is_counted_apart() {
        let outcome = measured(100.0, 8, Duration::ZERO, "503 Service Unavailable").await;
        assert_eq!((outcome.shed, outcome.measured.requests), (outcome.arrived, 0));
        assert!(outcome.measured.unexpected.is_empty() && outcome.measured.latency.is_empty());
    }
}
