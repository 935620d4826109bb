//! The slices: no-op server and subject in turn, at each number of connections.

use std::{path::PathBuf, rc::Rc, time::Duration};

use smartcart_testkit::{
    metrics::Metrics,
    ops::{CATCHES_UP_WITHIN, drained},
    process::cpu_micros,
    server::Launch,
};

use crate::{
    child::{Companion, Subject},
    load::Measured,
    report::{Report, Row, Total},
    requests::mean_reply,
    scenario::{Load, Scenario},
    settings::SETTINGS,
    shop::Shop,
};

#[derive(Debug, Clone)]
pub struct Options {
    pub server: PathBuf,
    pub noop_server: PathBuf,
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

struct Bench {
    options: Options,
    noop_server: Companion,
    subject: Subject,
    shop: Rc<Shop>,
}

pub async fn run(options: Options, directory: &std::path::Path) -> anyhow::Result<Report> {
    let settings = SETTINGS.map(|(name, value)| (name, value.to_owned()));
    let launch = Launch::prepare(&options.server, directory, &settings)?;
    let subject = Subject::start(launch).await?;
    eprintln!("creating {} carts ...", options.carts);
    let shop = Rc::new(
        Shop::set_up(subject.launch.listen, &subject.launch.token, options.carts, options.seed).await?,
    );
    shop.fill(subject.launch.listen).await?;
    drained(subject.launch.ops, CATCHES_UP_WITHIN).await?;

    let reply_bytes = mean_reply(&shop, subject.launch.listen).await?;
    let noop_server = Companion::noop_server(&options.noop_server, reply_bytes).await?;
    let bench = Bench { options, noop_server, subject, shop };
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
            Scenario::NoopPost | Scenario::NoopGet => (self.noop_server.address, self.noop_server.pid),
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
