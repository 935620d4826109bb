//! What the fence of an append costs: the advisory lock that it is, a row lock that it might be, and none. The functions are
//! variants of the journal's own, made from its text in a scratch database.
#![expect(clippy::float_arithmetic, reason = "rates and means")]

use std::{
    fmt,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use rand::Rng as _;
use smartcart_testkit::{random::seeded, report::Table};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::options::Options;
use crate::{
    cluster::{Cluster, session},
    load::Measured,
    pods::Pods,
};

const INCARNATION: [u8; 16] = [7; 16];
const LOCK_KEY: i64 = 42;
const LANES: [usize; 2] = [1, 4];
/// One change, and a batch of about a hundred.
const BODIES: [usize; 2] = [128, 8192];
/// Slices in place of one.
const PARTS: u32 = 4;
const OF_FENCE: &str = "PERFORM fence(given, lock_key);";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fence {
    Advisory,
    Row,
    Nothing,
}

impl Fence {
    const ALL: [Self; 3] = [Self::Advisory, Self::Row, Self::Nothing];

    const fn name(self) -> &'static str {
        match self {
            Self::Advisory => "advisory lock",
            Self::Row => "row lock",
            Self::Nothing => "none",
        }
    }

    const fn function(self) -> &'static str {
        match self {
            Self::Advisory => "journal_append",
            Self::Row => "journal_append_by_row",
            Self::Nothing => "journal_append_unfenced",
        }
    }

    /// What stands in the function's text instead of the fence.
    const fn instead(self) -> Option<&'static str> {
        match self {
            Self::Advisory => None,
            Self::Nothing => Some(""),
            Self::Row => Some(
                "PERFORM 1 FROM member WHERE incarnation = given AND state IN ('live', 'leaving') FOR SHARE;
                 IF NOT FOUND THEN RAISE EXCEPTION 'this incarnation may not write'; END IF;",
            ),
        }
    }
}

#[derive(Debug)]
struct Cell {
    fence: Fence,
    lanes: usize,
    body: usize,
    measured: Measured,
    log_bytes: i64,
    /// PostgreSQL's, if it is here.
    cpu_micros: Option<u64>,
}

#[derive(Debug)]
pub struct Report(Vec<Cell>);

pub async fn run(options: &Options, cluster: &Cluster, directory: &Path) -> anyhow::Result<Report> {
    let database = cluster.fresh("bench_fence").await?;
    // The tables are made by a pod, which is gone before anything is measured.
    Pods::new(&options.pods.server, &database, directory, &options.pods.settings)?
        .start("fence")
        .await?
        .stop()
        .await?;
    let mut connection = session(&database).await?;
    make_variants(&mut connection).await?;
    let mut cells = Vec::new();
    for body in BODIES {
        for lanes in LANES {
            for fence in Fence::ALL {
                cells.push(Cell {
                    fence,
                    lanes,
                    body,
                    measured: Measured::nothing()?,
                    log_bytes: 0,
                    cpu_micros: Some(0),
                });
            }
        }
    }
    // What differs little is compared in short slices, and many of them.
    let turns = options.pods.turns * PARTS as usize;
    for turn in 0..turns {
        eprintln!("the fence, turn {} of {} ...", turn + 1, turns);
        for cell in &mut cells {
            // Each slice is a journal of its own.
            sqlx::raw_sql("TRUNCATE entry").execute(&mut connection).await?;
            cluster.checkpoint().await?;
            let (log, cpu) = (cluster.log_bytes().await?, cluster.cpu_micros()?);
            cell.measured.add(&slice(&database, cell, options.pods.slice / PARTS).await?)?;
            cell.log_bytes += cluster.log_bytes().await? - log;
            let used = cluster.cpu_micros()?.zip(cpu).map(|(now, before)| now.saturating_sub(before));
            cell.cpu_micros = cell.cpu_micros.zip(used).map(|(sum, used)| sum + used);
        }
    }
    connection.close().await?;
    Ok(Report(cells))
}

/// A member that may write, and the functions beside the journal's own.
async fn make_variants(connection: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO member (incarnation, pod, address, owns_shards, protocol, shop_time, state)
         VALUES ($1, 'bench', '', false, 1, 0, 'live')",
    )
    .bind(&INCARNATION[..])
    .execute(&mut *connection)
    .await?;
    let own: String = sqlx::query_scalar("SELECT pg_get_functiondef('journal_append'::regproc)")
        .fetch_one(&mut *connection)
        .await
        .context("the journal's own function")?;
    for fence in Fence::ALL {
        let Some(instead) = fence.instead() else { continue };
        ensure!(own.contains(OF_FENCE), "the journal's function has no fence to take out:\n{own}");
        let variant = own.replace(OF_FENCE, instead).replace("journal_append", fence.function());
        sqlx::raw_sql(AssertSqlSafe(variant)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Each lane appends as fast as it can, one entry after the other.
async fn slice(database: &str, cell: &Cell, length: Duration) -> anyhow::Result<Measured> {
    let mut connections = Vec::new();
    for _ in 0..cell.lanes {
        connections.push(session(database).await?);
    }
    let started = Instant::now();
    let lanes = (0..).zip(connections).map(|(lane, connection)| {
        append(connection, cell.fence.function(), lane, cell.body, started + length)
    });
    let lanes = futures_util::future::join_all(lanes).await;
    let mut all = Measured::nothing()?;
    for lane in lanes {
        all.add(&lane?)?;
    }
    all.elapsed = started.elapsed();
    Ok(all)
}

async fn append(
    mut connection: PgConnection,
    function: &str,
    lane: i16,
    bytes: usize,
    deadline: Instant,
) -> anyhow::Result<Measured> {
    let query = format!("SELECT {function}($1, $2, $3, $4, $5)");
    let mut rng = seeded(u64::try_from(lane)?);
    let body: Vec<u8> =
        std::iter::repeat_with(|| rng.next_u64().to_le_bytes()).flatten().take(bytes).collect();
    let mut measured = Measured::nothing()?;
    let mut sent = Instant::now();
    for number in 1_i64.. {
        let answer: i64 = sqlx::query_scalar(AssertSqlSafe(query.clone()))
            .bind(&INCARNATION[..])
            .bind(LOCK_KEY)
            .bind(lane)
            .bind(number)
            .bind(&body)
            .fetch_one(&mut connection)
            .await?;
        ensure!(answer == 0, "entry {number} of lane {lane} was answered {answer}");
        let now = Instant::now();
        measured.record(200, 200, now - sent, &body);
        sent = now;
        if sent >= deadline {
            break;
        }
    }
    connection.close().await?;
    Ok(measured)
}

impl Cell {
    fn per_second(&self) -> f64 {
        self.measured.requests as f64 / self.measured.elapsed.as_secs_f64().max(f64::EPSILON)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The fence of an append to the journal.\n")?;
        let mut table = Table::new(&[
            "fence",
            "#bytes of an entry",
            "#lanes",
            "#appends/s",
            "#of unfenced",
            "#p50 ms",
            "#p99 ms",
            "#PostgreSQL CPU us an append",
            "#log bytes an append",
        ]);
        for cell in &self.0 {
            let is_unfenced = |other: &&Cell| {
                (other.fence, other.lanes, other.body) == (Fence::Nothing, cell.lanes, cell.body)
            };
            let unfenced = self.0.iter().find(is_unfenced).map_or(f64::NAN, Cell::per_second);
            let appends = cell.measured.requests.max(1) as f64;
            let milliseconds = |quantile| cell.measured.latency.value_at_quantile(quantile) as f64 / 1e6;
            table.row(vec![
                cell.fence.name().to_owned(),
                cell.body.to_string(),
                cell.lanes.to_string(),
                format!("{:.0}", cell.per_second()),
                format!("{:.2}", cell.per_second() / unfenced),
                format!("{:.2}", milliseconds(0.5)),
                format!("{:.2}", milliseconds(0.99)),
                cell.cpu_micros.map_or_else(String::new, |micros| format!("{:.0}", micros as f64 / appends)),
                format!("{:.0}", cell.log_bytes as f64 / appends),
            ]);
        }
        write!(f, "{table}")
    }
}
