//! SmartCart and the baseline on one PostgreSQL server, in turn, so that a noisy neighbour meets both.
#![expect(clippy::float_arithmetic, reason = "rates, means and ratios")]

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::Path, rc::Rc, time::Duration};

use smartcart_testkit::{
    ops::{CATCHES_UP_WITHIN, drained},
    report::{Table, counts},
};

use super::options::Options;
use crate::{
    child::{Companion, Subject},
    cluster::{Cluster, vacuum},
    meter::{Meter, Total},
    pods::{Pods, spread},
    requests::mean_reply,
    scenario::{Load, Scenario},
    shop::Shop,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    SmartCart,
    Baseline,
}

impl Side {
    pub const BOTH: [Self; 2] = [Self::SmartCart, Self::Baseline];

    pub const fn name(self) -> &'static str {
        match self {
            Self::SmartCart => "SmartCart",
            Self::Baseline => "the baseline",
        }
    }
}

/// Both servers, each with a shop of its own: the same SKUs, as many carts, the same baskets.
#[derive(Debug)]
pub struct Pair {
    pod: Subject,
    baseline: Companion,
    shops: [Rc<Shop>; 2],
    databases: [String; 2],
}

/// What is compared.
const SCENARIOS: [Scenario; 3] = [Scenario::AddItem, Scenario::Hold, Scenario::Checkout];

impl Pair {
    pub async fn start(options: &Options, cluster: &Cluster, directory: &Path) -> anyhow::Result<Self> {
        let databases = [cluster.fresh("bench_smartcart").await?, cluster.fresh("bench_baseline").await?];
        let pod = Pods::new(&options.pods.server, &databases[0], directory, &options.pods.settings)?
            .start("a")
            .await?;
        spread(&[&pod]).await?;
        let pool = options.pool.to_string();
        let baseline =
            Companion::start(&options.pods.baseline, &["--database", &databases[1], "--pool", &pool]).await?;
        let mut shops = Vec::new();
        for (side, address) in Side::BOTH.into_iter().zip([pod.launch.listen, baseline.address]) {
            eprintln!("{}: creating {} carts ...", side.name(), options.pods.carts);
            let shop =
                Shop::set_up(address, &pod.launch.token, options.pods.carts, options.pods.seed).await?;
            shop.fill(address).await?;
            shops.push(Rc::new(shop));
        }
        drained(pod.launch.ops, CATCHES_UP_WITHIN).await?;
        for database in &databases {
            vacuum(database).await?;
        }
        let [ours, theirs] = [shops.remove(0), shops.remove(0)];
        Ok(Self { pod, baseline, shops: [ours, theirs], databases })
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.pod.stop().await?;
        Ok(())
    }

    pub fn database(&self, side: Side) -> &str {
        &self.databases[side as usize]
    }

    fn address(&self, side: Side) -> SocketAddr {
        match side {
            Side::SmartCart => self.pod.launch.listen,
            Side::Baseline => self.baseline.address,
        }
    }

    const fn pid(&self, side: Side) -> u32 {
        match side {
            Side::SmartCart => self.pod.pid,
            Side::Baseline => self.baseline.pid,
        }
    }

    fn load(&self, side: Side, connections: usize, turn: usize) -> Load<'_> {
        let shop = &self.shops[side as usize];
        Load { address: self.address(side), shop, token: &self.pod.launch.token, connections, turn }
    }

    /// Every scenario on both sides, at each number of connections.
    pub async fn compare(&self, options: &Options, cluster: &Cluster) -> anyhow::Result<Report> {
        let mut reply_bytes = [0; 2];
        for (side, bytes) in Side::BOTH.into_iter().zip(&mut reply_bytes) {
            *bytes = mean_reply(&self.shops[side as usize], self.address(side)).await?;
        }
        let mut rows = Vec::new();
        for &connections in &options.pods.connections {
            let mut totals = Vec::new();
            for scenario in SCENARIOS {
                totals.push((scenario, [Total::nothing()?, Total::nothing()?]));
            }
            for turn in 0..options.pods.turns {
                eprintln!("{connections} connections, turn {} of {} ...", turn + 1, options.pods.turns);
                for (scenario, sides) in &mut totals {
                    for side in Side::BOTH {
                        let load = self.load(side, connections, turn);
                        let prepared = load.prepare(*scenario, options.checkouts).await?;
                        let total = &mut sides[side as usize];
                        self.slice(side, *scenario, load, options.pods.slice, prepared, cluster, total)
                            .await?;
                    }
                }
            }
            rows.extend(
                totals.into_iter().flat_map(|(scenario, sides)| Row::both(scenario, connections, &sides)),
            );
        }
        Ok(Report { carts: options.pods.carts, pool: options.pool, reply_bytes, rows })
    }

    /// For so long, from so many connections, a load without preparation.
    pub async fn run(
        &self,
        side: Side,
        scenario: Scenario,
        connections: usize,
        length: Duration,
        cluster: &Cluster,
    ) -> anyhow::Result<Total> {
        let mut total = Total::nothing()?;
        let load = self.load(side, connections, 0);
        self.slice(side, scenario, load, length, Vec::new(), cluster, &mut total).await?;
        Ok(total)
    }

    #[expect(clippy::too_many_arguments, reason = "a slice is just this")]
    async fn slice(
        &self,
        side: Side,
        scenario: Scenario,
        load: Load<'_>,
        length: Duration,
        prepared: Vec<Vec<u8>>,
        cluster: &Cluster,
        total: &mut Total,
    ) -> anyhow::Result<()> {
        let ops = self.pod.launch.ops;
        let meter = Meter { server: self.pid(side), pod: Some(ops), redis: None, cluster };
        drained(ops, CATCHES_UP_WITHIN).await?;
        let before = meter.read().await?;
        let measured = load.drive(scenario, length, prepared).await?;
        if side == Side::SmartCart {
            // What a change costs includes its end and its way into the tables.
            load.until_over(scenario).await?;
            drained(ops, CATCHES_UP_WITHIN).await?;
        }
        total.add(&measured, &before, &meter.read().await?)
    }
}

#[derive(Debug)]
pub struct Report {
    carts: usize,
    pool: u32,
    reply_bytes: [u64; 2],
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    scenario: Scenario,
    side: Side,
    connections: usize,
    per_second: f64,
    /// Throughput over the baseline's.
    ratio: f64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    server_cpu_us: f64,
    postgres_cpu_us: Option<f64>,
    log_bytes: f64,
    /// SmartCart's changes in one append to the journal, and how long that took.
    append: Option<(f64, f64)>,
    /// SmartCart's rows in one transaction of the write-behind, and how long that took.
    flush: Option<(f64, f64)>,
    unexpected: BTreeMap<u16, u64>,
    example: Option<String>,
}

impl Row {
    fn both(scenario: Scenario, connections: usize, totals: &[Total; 2]) -> [Self; 2] {
        Side::BOTH.map(|side| {
            let (total, other) = (&totals[side as usize], &totals[Side::Baseline as usize]);
            let mean = |name| total.metrics.mean(name).filter(|_| side == Side::SmartCart);
            let append = total.append().filter(|_| side == Side::SmartCart);
            let flushes = total.metrics.get("smartcart_flush_duration_seconds_count");
            let rows = total.metrics.get("smartcart_flush_rows_total") / flushes.max(1.0);
            let flush = mean("smartcart_flush_duration_seconds").map(|seconds| (rows, seconds * 1e3));
            Self {
                scenario,
                side,
                connections,
                per_second: total.per_second(),
                ratio: total.per_second() / other.per_second(),
                p50_ms: total.milliseconds(0.5),
                p99_ms: total.milliseconds(0.99),
                p999_ms: total.milliseconds(0.999),
                server_cpu_us: total.per_request(total.server_cpu as f64),
                postgres_cpu_us: total.postgres_cpu.map(|micros| total.per_request(micros as f64)),
                log_bytes: total.per_request(total.log_bytes as f64),
                append,
                flush,
                unexpected: total.measured.unexpected.clone(),
                example: total.measured.example.clone(),
            }
        })
    }
}

impl Report {
    /// Whether every answer was as expected, and there were some in each row.
    pub fn is_clean(&self) -> bool {
        self.rows.iter().all(|row| row.unexpected.is_empty() && row.per_second > 0.0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [ours, theirs] = self.reply_bytes;
        writeln!(
            f,
            "On PostgreSQL: {} carts in each shop; a cart's reply has {ours} bytes, the baseline's {theirs}; the baseline \
             has {} connections to PostgreSQL.\n",
            self.carts, self.pool
        )?;
        let mut table = Table::new(&[
            "scenario",
            "server",
            "#connections",
            "#requests/s",
            "#times the baseline",
            "#p50 ms",
            "#p99 ms",
            "#p99.9 ms",
            "#server CPU us",
            "#PostgreSQL CPU us",
            "#log bytes",
            "#changes an append",
            "#append ms",
            "#rows a flush",
            "#flush ms",
            "unexpected",
        ]);
        for row in &self.rows {
            let pair = |pair: Option<(f64, f64)>| {
                pair.map_or_else(<[String; 2]>::default, |(many, ms)| {
                    [format!("{many:.1}"), format!("{ms:.2}")]
                })
            };
            let ([changes, append_ms], [rows, flush_ms]) = (pair(row.append), pair(row.flush));
            table.row(vec![
                row.scenario.name().to_owned(),
                row.side.name().to_owned(),
                row.connections.to_string(),
                format!("{:.0}", row.per_second),
                format!("{:.2}", row.ratio),
                format!("{:.2}", row.p50_ms),
                format!("{:.2}", row.p99_ms),
                format!("{:.2}", row.p999_ms),
                format!("{:.0}", row.server_cpu_us),
                row.postgres_cpu_us.map_or_else(String::new, |micros| format!("{micros:.0}")),
                format!("{:.0}", row.log_bytes),
                changes,
                append_ms,
                rows,
                flush_ms,
                counts(&row.unexpected),
            ]);
        }
        write!(f, "{table}")?;
        for row in self.rows.iter().filter(|row| row.example.is_some()) {
            let example = row.example.as_deref().unwrap_or_default();
            writeln!(f, "\n{} of {}, unexpected: {example}", row.scenario.name(), row.side.name())?;
        }
        Ok(())
    }
}
