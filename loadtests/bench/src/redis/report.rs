//! A part's table, and what it says in words.
#![expect(clippy::float_arithmetic, reason = "rates, means and ratios")]

use std::fmt;

use smartcart_testkit::report::Table;

use super::{
    contender::Side,
    options::{COMMIT_LATER, FSYNC_LATER, Part, Slow},
};
use crate::meter::Total;

#[derive(Debug)]
pub struct Report {
    pub part: Part,
    pub carts: usize,
    /// In the order of `Side::ALL`.
    pub reply_bytes: Vec<u64>,
    pub rows: Vec<Row>,
}

/// What one side did at so many connections.
#[derive(Debug)]
pub struct Row {
    pub side: Side,
    pub slow: Slow,
    pub connections: usize,
    pub total: Total,
}

impl Part {
    /// The slices of a turn.
    pub(super) const fn slices(self) -> &'static [(Side, Slow)] {
        match self {
            Self::Versus => &[
                (Side::Redis, Slow::Nothing),
                (Side::Baseline, Slow::Nothing),
                (Side::Postgres, Slow::Nothing),
            ],
            Self::Database => &[
                (Side::Redis, Slow::Nothing),
                (Side::Redis, Slow::Postgres),
                (Side::Postgres, Slow::Nothing),
                (Side::Postgres, Slow::Postgres),
            ],
            Self::Disk => &[(Side::Redis, Slow::Disk), (Side::Baseline, Slow::Disk)],
        }
    }
}

impl Slow {
    fn name(self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Postgres => format!("PostgreSQL, {COMMIT_LATER:?} a commit"),
            Self::Disk => format!("Redis's disk, {FSYNC_LATER:?} an fsync"),
        }
    }
}

impl Row {
    pub fn new(side: Side, slow: Slow, connections: usize) -> anyhow::Result<Self> {
        Ok(Self { side, slow, connections, total: Total::nothing()? })
    }

    fn cells(&self, report: &Report) -> Vec<String> {
        let total = &self.total;
        let times = |side| {
            let other = report.row(side, self.slow, self.connections);
            other.map_or_else(String::new, |other| format!("{:.2}", self.times(other)))
        };
        let cpu = |micros: Option<u64>| {
            micros.map_or_else(String::new, |micros| format!("{:.1}", total.per_request(micros as f64)))
        };
        let [changes, append_ms] = total
            .append()
            .map_or_else(<[String; 2]>::default, |(many, ms)| [format!("{many:.1}"), format!("{ms:.2}")]);
        vec![
            self.side.name().to_owned(),
            self.slow.name(),
            self.connections.to_string(),
            format!("{:.0}", total.per_second()),
            times(Side::Baseline),
            times(Side::Postgres),
            format!("{:.2}", total.milliseconds(0.5)),
            format!("{:.2}", total.milliseconds(0.99)),
            format!("{:.2}", total.milliseconds(0.999)),
            cpu(Some(total.server_cpu)),
            cpu(total.redis_cpu),
            // The baseline in Redis has none, and what is seen meanwhile is not for it.
            if self.side == Side::Baseline { String::new() } else { cpu(total.postgres_cpu) },
            changes,
            append_ms,
        ]
    }

    fn times(&self, other: &Self) -> f64 {
        self.total.per_second() / other.total.per_second()
    }

    fn p99(&self) -> f64 {
        self.total.milliseconds(0.99)
    }
}

impl Report {
    fn row(&self, side: Side, slow: Slow, connections: usize) -> Option<&Row> {
        self.rows.iter().find(|row| (row.side, row.slow, row.connections) == (side, slow, connections))
    }

    /// What the table says at so many connections; nothing when it lacks a row.
    fn reading(&self, connections: usize) -> Option<String> {
        let row = |side, slow| self.row(side, slow, connections);
        Some(match self.part {
            Part::Versus => {
                let (redis, baseline) =
                    (row(Side::Redis, Slow::Nothing)?, row(Side::Baseline, Slow::Nothing)?);
                let postgres = row(Side::Postgres, Slow::Nothing)?;
                format!(
                    "a pod with its journal in Redis makes {:.2} times as many adds durable as the baseline in Redis, and has \
                     them in PostgreSQL besides; {:.2} times as many as a pod with its journal in PostgreSQL. \
                     p99 {:.1} ms; {:.1} and {:.1} ms.",
                    redis.times(baseline),
                    redis.times(postgres),
                    redis.p99(),
                    baseline.p99(),
                    postgres.p99()
                )
            }
            Part::Database => {
                let moved = |side| {
                    let (before, slow) = (row(side, Slow::Nothing)?, row(side, Slow::Postgres)?);
                    Some(format!(
                        "{:.1} ms, and {:.1} ms with {COMMIT_LATER:?} more for each of PostgreSQL's commits ({:.2} times as many adds)",
                        before.p99(),
                        slow.p99(),
                        slow.times(before)
                    ))
                };
                format!(
                    "p99 with the journal in Redis is {}; with the journal in PostgreSQL it is {}.",
                    moved(Side::Redis)?,
                    moved(Side::Postgres)?
                )
            }
            Part::Disk => {
                let (redis, baseline) = (row(Side::Redis, Slow::Disk)?, row(Side::Baseline, Slow::Disk)?);
                format!(
                    "with {FSYNC_LATER:?} more for each fsync of Redis, a pod with its journal there makes {:.2} times as many \
                     adds durable as the baseline in Redis; p99 {:.1} ms and {:.1} ms.",
                    redis.times(baseline),
                    redis.p99(),
                    baseline.p99()
                )
            }
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Side::ALL.iter().zip(&self.reply_bytes);
        let replies: Vec<_> = names.map(|(side, bytes)| format!("{} {bytes}", side.name())).collect();
        let what = match self.part {
            Part::Versus => "Durable adds",
            Part::Database => "Durable adds, PostgreSQL as it is and slow (its `commit_delay`)",
            Part::Disk => "Durable adds, a slow disk under each Redis",
        };
        writeln!(
            f,
            "{what}: {} carts in each shop. Bytes of a reply: {}.\n",
            self.carts,
            replies.join(", ")
        )?;
        let mut table = Table::new(&[
            "server",
            "slow",
            "#connections",
            "#requests/s",
            "#times the baseline in Redis",
            "#times the PostgreSQL journal",
            "#p50 ms",
            "#p99 ms",
            "#p99.9 ms",
            "#server CPU us",
            "#Redis CPU us",
            "#PostgreSQL CPU us",
            "#changes an append",
            "#append ms",
        ]);
        for row in &self.rows {
            table.row(row.cells(self));
        }
        writeln!(f, "{table}")?;
        let mut connections: Vec<_> = self.rows.iter().map(|row| row.connections).collect();
        connections.dedup();
        for connections in connections {
            if let Some(reading) = self.reading(connections) {
                writeln!(f, "At {connections} connections {reading}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row(side: Side, slow: Slow, requests: u64) -> Row {
        let mut row = Row::new(side, slow, 64).unwrap();
        row.total.measured.requests = requests;
        row.total.measured.elapsed = Duration::from_secs(1);
        row
    }

    #[test]
    fn each_part_is_read_in_words() {
        for (part, said) in [
            (Part::Versus, "1.50 times as many adds durable as the baseline in Redis"),
            (Part::Database, "20ms more for each of PostgreSQL's commits (0.50 times as many adds)"),
            (Part::Disk, "with 1ms more for each fsync of Redis"),
        ] {
            let requests = |side, slow| match (side, slow) {
                (Side::Baseline, _) => 200,
                (Side::Redis, _) => 300,
                (Side::Postgres, Slow::Postgres) => 50,
                (Side::Postgres, _) => 100,
            };
            let rows = part.slices().iter().map(|&(side, slow)| row(side, slow, requests(side, slow)));
            let report = Report { part, carts: 1, reply_bytes: vec![1, 2, 3], rows: rows.collect() };
            let text = report.to_string();
            assert!(text.contains(said), "{text}");
        }
    }
}
