//! The slices: ceiling and subject in turn, at each number of connections.

use std::{path::PathBuf, rc::Rc, time::Duration};

use super::{
    child::{Companion, Subject},
    load::Measured,
    metrics::{CATCHES_UP_WITHIN, Metrics, drained},
    process::cpu_micros,
    report::{Report, Row},
    scenario::{Load, Scenario},
    shop::Shop,
};
use crate::server::Launch;

#[derive(Debug, Clone)]
pub struct Options {
    pub server: PathBuf,
    pub ceiling: PathBuf,
    pub carts: usize,
    pub scenarios: Vec<Scenario>,
    pub connections: Vec<usize>,
    pub slice: Duration,
    /// How often each slice comes.
    pub turns: usize,
    /// Checkouts that are prepared for each slice; it ends early when they are used up.
    pub checkouts: usize,
    pub seed: u64,
}

/// Everything that the slices of one scenario added up to.
#[derive(Debug)]
pub struct Total {
    pub measured: Measured,
    /// CPU of the server, until the tables had caught up.
    pub cpu_micros: u64,
    pub metrics: Metrics,
}

struct Bench {
    options: Options,
    ceiling: Companion,
    subject: Subject,
    shop: Rc<Shop>,
}

pub async fn run(options: Options, directory: &std::path::Path) -> anyhow::Result<Report> {
    let settings = [
        ("SMARTCART_SEED", "none".to_owned()),
        ("SMARTCART_MAX_LINE_QUANTITY", i32::MAX.to_string()),
        // Zipf's first cart has a twelfth of the load: more connections than a cart may usually have.
        ("SMARTCART_MAX_IN_FLIGHT_PER_CART", "1024".to_owned()),
        ("SMARTCART_LOG", "warn".to_owned()),
    ];
    let launch = Launch::prepare(&options.server, directory, &settings)?;
    let subject = Subject::start(launch).await?;
    eprintln!("creating {} carts ...", options.carts);
    let shop = Rc::new(
        Shop::set_up(subject.launch.listen, &subject.launch.token, options.carts, options.seed).await?,
    );
    shop.fill(subject.launch.listen).await?;
    drained(subject.launch.ops, CATCHES_UP_WITHIN).await?;

    let reply_bytes = shop.mean_reply(subject.launch.listen).await?;
    let ceiling = Companion::ceiling(&options.ceiling, reply_bytes).await?;
    let bench = Bench { options, ceiling, subject, shop };
    let mut report = Report::new(reply_bytes, bench.options.carts);
    for &connections in &bench.options.connections {
        report.rows.extend(bench.measure(connections).await?);
    }
    bench.subject.stop().await?;
    Ok(report)
}

impl Bench {
    async fn measure(&self, connections: usize) -> anyhow::Result<Vec<Row>> {
        let mut totals = Vec::new();
        for &scenario in &self.options.scenarios {
            let total = Total { measured: Measured::nothing()?, cpu_micros: 0, metrics: Metrics::default() };
            totals.push((scenario, total));
        }
        for turn in 0..self.options.turns {
            eprintln!("{connections} connections, turn {} of {} ...", turn + 1, self.options.turns);
            for (scenario, total) in &mut totals {
                self.slice(*scenario, connections, turn, total).await?;
            }
        }
        Ok(Row::all(connections, &totals))
    }

    async fn slice(
        &self,
        scenario: Scenario,
        connections: usize,
        turn: usize,
        total: &mut Total,
    ) -> anyhow::Result<()> {
        let (address, pid) = match scenario {
            Scenario::CeilingPost | Scenario::CeilingGet => (self.ceiling.address, self.ceiling.pid),
            _ => (self.subject.launch.listen, self.subject.pid),
        };
        let load = Load { address, shop: &self.shop, token: &self.subject.launch.token, connections, turn };
        let prepared = load.prepare(scenario, self.options.checkouts).await?;
        let ops = self.subject.launch.ops;
        drained(ops, CATCHES_UP_WITHIN).await?;
        let (cpu, metrics) = (cpu_micros(pid)?, Metrics::read(ops).await?);
        let measured = load.drive(scenario, self.options.slice, prepared).await?;
        // What a change costs includes its end and its way into the tables.
        load.until_over(scenario).await?;
        drained(ops, CATCHES_UP_WITHIN).await?;
        total.cpu_micros += cpu_micros(pid)? - cpu;
        total.metrics.add(&Metrics::read(ops).await?.since(&metrics));
        total.measured.add(&measured)
    }
}
