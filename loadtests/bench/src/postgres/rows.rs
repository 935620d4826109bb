//! What is written to PostgreSQL for a thousand changes, by PostgreSQL's own count: on a mix of carts, and on one SKU
//! that everybody wants.
#![expect(clippy::float_arithmetic, reason = "rates and means")]

use std::fmt;

use smartcart_testkit::report::Table;

use super::{
    options::Options,
    versus::{Pair, Side},
};
use crate::{
    cluster::{COUNTED_AFTER, Cluster, Tables, since, tables},
    meter::Total,
    scenario::Scenario,
};

const CONNECTIONS: usize = 64;
/// The journal's own rows are counted apart.
const JOURNAL: [&str; 2] = ["entry", "trimmed"];

#[derive(Debug)]
pub struct Report {
    seconds: f64,
    counts: Vec<Count>,
}

/// What one side wrote in one scenario.
#[derive(Debug)]
struct Count {
    scenario: Scenario,
    side: Side,
    total: Total,
    written: Tables,
}

impl Count {
    /// Rows for a thousand changes.
    fn rows(&self, wanted: impl Fn(&str) -> bool) -> f64 {
        let rows: i64 =
            self.written.iter().filter(|(table, _)| wanted(table)).map(|(_, written)| written.rows()).sum();
        self.total.per_request(rows as f64) * 1e3
    }

    fn table_rows(&self) -> f64 {
        self.rows(|table| !JOURNAL.contains(&table))
    }

    fn by_table(&self) -> String {
        let names = self.written.keys().filter(|table| !JOURNAL.contains(&table.as_str()));
        let shown = names.map(|name| format!("{name} {:.2}", self.rows(|table| table == name)));
        shown.collect::<Vec<_>>().join(", ")
    }
}

pub async fn run(options: &Options, cluster: &Cluster, pair: &Pair) -> anyhow::Result<Report> {
    let mut counts = Vec::new();
    let mut before = all_tables(pair).await?;
    for scenario in [Scenario::AddItem, Scenario::Hold] {
        eprintln!("counting rows: {} ...", scenario.name());
        let mut totals = Vec::new();
        for side in Side::BOTH {
            cluster.checkpoint().await?;
            totals.push((side, pair.run(side, scenario, CONNECTIONS, options.count_for, cluster).await?));
        }
        let now = all_tables(pair).await?;
        for (side, total) in totals {
            let place = side as usize;
            counts.push(Count { scenario, side, total, written: since(&now[place], &before[place]) });
        }
        before = now;
    }
    Ok(Report { seconds: options.count_for.as_secs_f64(), counts })
}

/// Both sides' tables, once every session has told what it counted.
async fn all_tables(pair: &Pair) -> anyhow::Result<[Tables; 2]> {
    tokio::time::sleep(COUNTED_AFTER).await;
    Ok([tables(pair.database(Side::SmartCart)).await?, tables(pair.database(Side::Baseline)).await?])
}

impl Report {
    pub fn is_clean(&self) -> bool {
        self.counts.iter().all(|count| {
            count.total.measured.unexpected.is_empty()
                && count.total.measured.requests > 0
                && !count.written.is_empty()
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Rows written to PostgreSQL for a thousand changes, {} s each from {CONNECTIONS} connections, until the tables had \
             everything. An entry of the journal counts twice: it is written, and deleted when the tables have it.\n",
            self.seconds
        )?;
        let mut table = Table::new(&[
            "scenario",
            "server",
            "#changes/s",
            "#rows in the tables",
            "#of the baseline's",
            "#rows in the journal",
            "#log bytes a change",
            "by table",
        ]);
        for count in &self.counts {
            let is_other = |other: &&Count| other.scenario == count.scenario && other.side == Side::Baseline;
            let other = self.counts.iter().find(is_other).map_or(f64::NAN, Count::table_rows);
            table.row(vec![
                count.scenario.name().to_owned(),
                count.side.name().to_owned(),
                format!("{:.0}", count.total.per_second()),
                format!("{:.2}", count.table_rows()),
                format!("{:.4}", count.table_rows() / other),
                format!("{:.2}", count.rows(|table| JOURNAL.contains(&table))),
                format!("{:.0}", count.total.per_request(count.total.log_bytes as f64)),
                count.by_table(),
            ]);
        }
        write!(f, "{table}")
    }
}
