//! What it costs to ask a pod for another pod's cart: the same carts, asked for at their owner and at the other pod, in turn.
#![expect(clippy::float_arithmetic, reason = "rates and means")]

use std::{fmt, rc::Rc};

use anyhow::ensure;
use smartcart_testkit::{
    http::Connection,
    metrics::Metrics,
    ops::{CATCHES_UP_WITHIN, drained},
    process::cpu_micros,
    report::{Table, counts},
};

use super::options::Options;
use crate::{
    child::Subject,
    load::Measured,
    pods::{Pods, spread},
    scenario::{Load, Scenario},
    shop::{Shop, batch_of},
};

const SCENARIOS: [Scenario; 2] = [Scenario::AddItem, Scenario::ReadCart];
const FORWARDED: &str = "smartcart_forwarded_total";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Owner,
    Other,
}

#[derive(Debug)]
pub struct Report {
    carts: usize,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    scenario: Scenario,
    connections: usize,
    to: To,
    measured: Measured,
    /// Of the pod that was asked, and of the other one.
    cpu: [u64; 2],
    forwarded: f64,
}

struct Fleet {
    owner: Subject,
    other: Subject,
    /// Its carts are the owner's.
    shop: Rc<Shop>,
}

pub async fn run(options: &Options, pods: Pods) -> anyhow::Result<Report> {
    let owner = pods.start("a").await?;
    let other = pods.start("b").await?;
    spread(&[&owner, &other]).await?;
    let (address, token) = (owner.launch.listen, &owner.launch.token);
    // About half of what is created here belongs to the other pod.
    let shop = Shop::set_up(address, token, options.forwarded_carts * 2, options.pods.seed).await?;
    let own = owned_by(&owner, &shop).await?;
    let shop = Rc::new(shop.of(own, options.pods.seed)?);
    shop.fill(address).await?;
    let carts = shop.carts.len();
    let fleet = Fleet { owner, other, shop };
    let mut rows = Vec::new();
    for &connections in &options.pods.connections {
        rows.extend(fleet.measure(options, connections).await?);
    }
    fleet.other.stop().await?;
    fleet.owner.stop().await?;
    Ok(Report { carts, rows })
}

/// Those of the shop's carts that the pod changes without asking anybody.
async fn owned_by(pod: &Subject, shop: &Shop) -> anyhow::Result<Vec<String>> {
    let mut connection = Connection::open(pod.launch.listen).await?;
    let forwarded = async || anyhow::Ok(Metrics::read(pod.launch.ops).await?.get(FORWARDED));
    let mut own = Vec::new();
    let mut before = forwarded().await?;
    for cart in &shop.carts {
        let response = connection.call(&batch_of(cart, &[shop.sku(0)])).await?;
        ensure!(response.status == 200, "a cart could not be filled: {}", response.status);
        let now = forwarded().await?;
        if now.to_bits() == before.to_bits() {
            own.push(cart.clone());
        }
        before = now;
    }
    ensure!(
        own.len() > shop.carts.len() / 5,
        "only {} of {} carts are the pod's",
        own.len(),
        shop.carts.len()
    );
    Ok(own)
}

impl Fleet {
    async fn measure(&self, options: &Options, connections: usize) -> anyhow::Result<Vec<Row>> {
        let mut rows = Vec::new();
        for scenario in SCENARIOS {
            for to in [To::Owner, To::Other] {
                let measured = Measured::nothing()?;
                rows.push(Row { scenario, connections, to, measured, cpu: [0; 2], forwarded: 0.0 });
            }
        }
        for turn in 0..options.pods.turns {
            eprintln!("two pods, {connections} connections, turn {} of {} ...", turn + 1, options.pods.turns);
            for row in &mut rows {
                self.slice(options, turn, row).await?;
            }
        }
        Ok(rows)
    }

    async fn slice(&self, options: &Options, turn: usize, row: &mut Row) -> anyhow::Result<()> {
        let pods = match row.to {
            To::Owner => [&self.owner, &self.other],
            To::Other => [&self.other, &self.owner],
        };
        for pod in pods {
            drained(pod.launch.ops, CATCHES_UP_WITHIN).await?;
        }
        let cpu = [cpu_micros(pods[0].pid)?, cpu_micros(pods[1].pid)?];
        let before = Metrics::read(pods[0].launch.ops).await?;
        let (shop, connections) = (&self.shop, row.connections);
        let load =
            Load { address: pods[0].launch.listen, shop, token: &self.owner.launch.token, connections, turn };
        let measured = load.drive(row.scenario, options.pods.slice, Vec::new()).await?;
        drained(self.owner.launch.ops, CATCHES_UP_WITHIN).await?;
        for (sum, (pod, before)) in row.cpu.iter_mut().zip(pods.into_iter().zip(cpu)) {
            *sum += cpu_micros(pod.pid)? - before;
        }
        row.forwarded += Metrics::read(pods[0].launch.ops).await?.since(&before).get(FORWARDED);
        row.measured.add(&measured)
    }
}

impl Row {
    fn per_second(&self) -> f64 {
        self.measured.requests as f64 / self.measured.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    fn per_request(&self, of: f64) -> f64 {
        of / self.measured.requests.max(1) as f64
    }
}

impl Report {
    /// Whether every answer was as expected, and went the way that it was to go.
    pub fn is_clean(&self) -> bool {
        self.rows.iter().all(|row| {
            let forwarded = row.per_request(row.forwarded);
            let as_meant = if row.to == To::Owner { forwarded < 0.01 } else { forwarded > 0.9 };
            row.measured.unexpected.is_empty() && row.measured.requests > 0 && as_meant
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Two pods, {} carts of one of them.\n", self.carts)?;
        let mut table = Table::new(&[
            "scenario",
            "asked",
            "#connections",
            "#requests/s",
            "#of the owner's",
            "#p50 ms",
            "#p99 ms",
            "#CPU us of the asked",
            "#CPU us of the other",
            "#forwarded a request",
            "unexpected",
        ]);
        for row in &self.rows {
            let is_owners = |owners: &&Row| {
                (owners.scenario, owners.connections, owners.to) == (row.scenario, row.connections, To::Owner)
            };
            let owners = self.rows.iter().find(is_owners).map_or(f64::NAN, Row::per_second);
            let milliseconds = |quantile| row.measured.latency.value_at_quantile(quantile) as f64 / 1e6;
            table.row(vec![
                row.scenario.name().to_owned(),
                if row.to == To::Owner { "the owner" } else { "the other pod" }.to_owned(),
                row.connections.to_string(),
                format!("{:.0}", row.per_second()),
                format!("{:.2}", row.per_second() / owners),
                format!("{:.2}", milliseconds(0.5)),
                format!("{:.2}", milliseconds(0.99)),
                format!("{:.0}", row.per_request(row.cpu[0] as f64)),
                format!("{:.0}", row.per_request(row.cpu[1] as f64)),
                format!("{:.2}", row.per_request(row.forwarded)),
                counts(&row.measured.unexpected),
            ]);
        }
        write!(f, "{table}")?;
        for row in self.rows.iter().filter(|row| row.measured.example.is_some()) {
            let example = row.measured.example.as_deref().unwrap_or_default();
            writeln!(f, "\n{}, unexpected: {example}", row.scenario.name())?;
        }
        Ok(())
    }
}
