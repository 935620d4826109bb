//! Two builds of the server beside each other, by the CPU that a request costs them.
//!
//! A turn is many short slices of one scenario: one build, the other, the other, the first, and again. Whatever else the
//! machine does, and however its clock drifts, meets both alike. Each process has a CPU clock of its own, which is read before
//! a turn and after it, when the tables have everything: what a change leaves to be done later is counted where it belongs,
//! though the other build has its slice by then. Both clocks are read at the same moments: a server that waits while the other
//! is prepared has carts to sweep all the same. Each turn gives a ratio, and the median of the turns is what counts.
#![expect(clippy::float_arithmetic, reason = "means and ratios")]

use std::{
    cell::RefCell,
    fmt,
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context, ensure};
use smartcart_testkit::{
    http::Connection,
    ops::{CATCHES_UP_WITHIN, drained},
    process::cpu_micros,
    report::Table,
    server::Launch,
};

use crate::{
    child::Subject,
    load::{drive_over, open},
    scenario::{Load, Scenario},
    settings::SETTINGS,
    shop::Shop,
    source::Source,
};

/// What is compared.
pub const SCENARIOS: [Scenario; 4] =
    [Scenario::AddItem, Scenario::Hold, Scenario::ReadCart, Scenario::Checkout];

/// Slices of a turn, in groups of four.
const GROUPS: usize = 4;

/// A turn in which a server used less CPU says nothing.
const LEAST_CPU_MICROS: u64 = 50_000;

#[derive(Debug, Clone)]
pub struct Options {
    pub server: PathBuf,
    pub against: PathBuf,
    pub carts: usize,
    pub scenarios: Vec<Scenario>,
    pub connections: Vec<usize>,
    /// One of eight of each build in a turn.
    pub slice: Duration,
    pub turns: usize,
    /// Checkouts that are prepared for each turn of each build; its slices end early when they are used up.
    pub checkouts: usize,
    /// Percent that a request may cost more.
    pub threshold: f64,
    pub seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    This,
    Other,
}

impl Side {
    const BOTH: [Self; 2] = [Self::This, Self::Other];

    /// Four slices of a turn.
    const fn group(turn: usize) -> [Self; 4] {
        if turn.is_multiple_of(2) {
            [Self::This, Self::Other, Self::Other, Self::This]
        } else {
            [Self::Other, Self::This, Self::This, Self::Other]
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::This => "this build",
            Self::Other => "the other build",
        }
    }
}

/// What one side used and answered in a turn.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    cpu_micros: u64,
    requests: u64,
}

impl Used {
    fn per_request(self) -> f64 {
        self.cpu_micros as f64 / self.requests.max(1) as f64
    }
}

/// In the order of `Side::BOTH`.
type Turn = [Used; 2];

#[derive(Debug)]
struct Row {
    scenario: Scenario,
    connections: usize,
    turns: Vec<Turn>,
}

impl Row {
    /// This build's CPU over the other's, a turn each, from the least to the most.
    fn ratios(&self) -> Vec<f64> {
        sorted(self.turns.iter().map(|[this, other]| this.per_request() / other.per_request()))
    }

    fn ratio(&self) -> f64 {
        median(&self.ratios())
    }

    fn cpu(&self, side: Side) -> f64 {
        median(&sorted(self.turns.iter().map(|turn| turn[side as usize].per_request())))
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Of sorted values; of an even number of them, the mean of the two in the middle.
fn median(sorted: &[f64]) -> f64 {
    match sorted {
        [] => f64::NAN,
        _ => (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0,
    }
}

#[derive(Debug)]
pub struct Report {
    threshold: f64,
    rows: Vec<Row>,
}

impl Report {
    /// The scenarios in which a request costs this build more than it may.
    fn slower(&self) -> Vec<&Row> {
        let bound = 1.0 + self.threshold / 100.0;
        // A ratio that is no number is no proof of anything.
        self.rows.iter().filter(|row| row.ratio().is_nan() || row.ratio() > bound).collect()
    }

    pub fn is_clean(&self) -> bool {
        !self.rows.is_empty() && self.slower().is_empty()
    }
}

/// A server, and a shop of its own.
struct Contender {
    subject: Subject,
    shop: Rc<Shop>,
}

impl Contender {
    async fn start(side: Side, program: &Path, directory: &Path, options: &Options) -> anyhow::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let settings = SETTINGS.map(|(name, value)| (name, value.to_owned()));
        let subject = Subject::start(Launch::prepare(program, directory, &settings)?)
            .await
            .with_context(|| side.name())?;
        eprintln!("{}: creating {} carts ...", side.name(), options.carts);
        let (address, token) = (subject.launch.listen, &subject.launch.token);
        let shop = Rc::new(Shop::set_up(address, token, options.carts, options.seed).await?);
        shop.fill(address).await?;
        drained(subject.launch.ops, CATCHES_UP_WITHIN).await?;
        Ok(Self { subject, shop })
    }

    fn load(&self, connections: usize, turn: usize) -> Load<'_> {
        let Launch { listen: address, token, .. } = &self.subject.launch;
        Load { address: *address, shop: &self.shop, token, connections, turn }
    }

    async fn drained(&self) -> anyhow::Result<()> {
        drained(self.subject.launch.ops, CATCHES_UP_WITHIN).await
    }

    fn cpu_micros(&self) -> anyhow::Result<u64> {
        cpu_micros(self.subject.pid)
    }
}

/// One build in a turn.
struct Loaded<'a> {
    contender: &'a Contender,
    load: Load<'a>,
    scenario: Scenario,
    connections: Vec<Connection>,
    source: Rc<RefCell<Box<dyn Source>>>,
    requests: u64,
}

impl<'a> Loaded<'a> {
    async fn begin(
        contender: &'a Contender,
        scenario: Scenario,
        connections: usize,
        turn: usize,
        options: &Options,
    ) -> anyhow::Result<Self> {
        let load = contender.load(connections, turn);
        let prepared = load.prepare(scenario, options.checkouts).await?;
        let source = Rc::new(RefCell::new(load.source(scenario, prepared)));
        let connections = open(load.address, connections).await?;
        contender.drained().await?;
        Ok(Self { contender, load, scenario, connections, source, requests: 0 })
    }

    async fn slice(&mut self, length: Duration) -> anyhow::Result<()> {
        let expected = self.scenario.expected_status();
        let measured = drive_over(&mut self.connections, length, expected, &self.source).await?;
        ensure!(
            measured.unexpected.is_empty(),
            "{}: {:?}: {}",
            self.scenario.name(),
            measured.unexpected,
            measured.example.as_deref().unwrap_or_default()
        );
        self.requests += measured.requests;
        Ok(())
    }

    /// What a change costs includes its end and its way into the tables.
    async fn over(&self) -> anyhow::Result<()> {
        self.load.until_over(self.scenario).await?;
        self.contender.drained().await
    }

    fn used(&self, cpu_micros: u64) -> anyhow::Result<Used> {
        ensure!(
            cpu_micros >= LEAST_CPU_MICROS && self.requests > 0,
            "{}: a turn of {} requests and {cpu_micros} us of CPU is too short to be compared",
            self.scenario.name(),
            self.requests
        );
        Ok(Used { cpu_micros, requests: self.requests })
    }
}

/// Compares, and tells each turn as soon as it is over.
pub async fn run(options: &Options, directory: &Path) -> anyhow::Result<Report> {
    let mut contenders = Vec::with_capacity(2);
    for (side, program) in Side::BOTH.into_iter().zip([&options.server, &options.against]) {
        let directory = directory.join(if side == Side::This { "this" } else { "other" });
        contenders.push(Contender::start(side, program, &directory, options).await?);
    }
    let mut rows = Vec::new();
    for &connections in &options.connections {
        let new = |&scenario| Row { scenario, connections, turns: Vec::new() };
        let mut measured: Vec<Row> = options.scenarios.iter().map(new).collect();
        for turn in 0..options.turns {
            for row in &mut measured {
                let used = one_turn(&contenders, row, turn, options).await?;
                let [this, other] = used.map(Used::per_request);
                eprintln!(
                    "{} at {connections} connections, turn {} of {}: {this:.2} and {other:.2} us, {:.3}",
                    row.scenario.name(),
                    turn + 1,
                    options.turns,
                    this / other
                );
                row.turns.push(used);
            }
        }
        rows.extend(measured);
    }
    for contender in contenders {
        contender.subject.stop().await?;
    }
    Ok(Report { threshold: options.threshold, rows })
}

async fn one_turn(
    contenders: &[Contender],
    row: &Row,
    turn: usize,
    options: &Options,
) -> anyhow::Result<Turn> {
    let mut loaded = Vec::with_capacity(contenders.len());
    for (contender, side) in contenders.iter().zip(Side::BOTH) {
        let begun = Loaded::begin(contender, row.scenario, row.connections, turn, options).await;
        loaded.push(begun.with_context(|| side.name())?);
    }
    let before = clocks(contenders)?;
    for _ in 0..GROUPS {
        for side in Side::group(turn) {
            loaded[side as usize].slice(options.slice).await.with_context(|| side.name())?;
        }
    }
    for (loaded, side) in loaded.iter().zip(Side::BOTH) {
        loaded.over().await.with_context(|| side.name())?;
    }
    let after = clocks(contenders)?;
    let mut used = Turn::default();
    for side in Side::BOTH {
        let at = side as usize;
        used[at] = loaded[at].used(after[at] - before[at]).with_context(|| side.name())?;
    }
    Ok(used)
}

/// Each contender's CPU clock, read together: between two readings both have lived equally long.
fn clocks(contenders: &[Contender]) -> anyhow::Result<Vec<u64>> {
    contenders.iter().map(Contender::cpu_micros).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&[
            "scenario",
            "#connections",
            "#CPU us",
            "#of the other build",
            "#ratio",
            "#least",
            "#most",
            "the turns",
        ]);
        for row in &self.rows {
            let ratios = row.ratios();
            let [this, other] = Side::BOTH.map(|side| format!("{:.2}", row.cpu(side)));
            let ends = [ratios.first(), ratios.last()];
            let [least, most] = ends.map(|end| format!("{:.3}", end.copied().unwrap_or(f64::NAN)));
            let turns: Vec<String> = row
                .turns
                .iter()
                .map(|[this, other]| format!("{:.3}", this.per_request() / other.per_request()))
                .collect();
            table.row(vec![
                row.scenario.name().to_owned(),
                row.connections.to_string(),
                this,
                other,
                format!("{:.3}", row.ratio()),
                least,
                most,
                turns.join(" "),
            ]);
        }
        writeln!(
            f,
            "Server CPU of a request, medians of the turns; a ratio above 1 costs more than the other build.\n"
        )?;
        write!(f, "{table}")?;
        for row in &self.rows {
            let ratios = row.ratios();
            if let [least, .., most] = ratios[..]
                && (most - least) * 100.0 > 2.0 * self.threshold
            {
                let spread = (most - least) * 100.0;
                writeln!(f, "\n{}: noisy, the turns are {spread:.1} % apart.", row.scenario.name())?;
            }
        }
        for row in self.slower() {
            let more = (row.ratio() - 1.0) * 100.0;
            writeln!(
                f,
                "\n{} costs {more:.1} % more; {} % are allowed.",
                row.scenario.name(),
                self.threshold
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ratios: &[u64]) -> Row {
        let turn = |percent: &u64| {
            [Used { cpu_micros: *percent, requests: 10 }, Used { cpu_micros: 100, requests: 10 }]
        };
        Row { scenario: Scenario::AddItem, connections: 64, turns: ratios.iter().map(turn).collect() }
    }

    fn report(ratios: &[u64]) -> Report {
        Report { threshold: 3.0, rows: vec![row(ratios)] }
    }

    #[test]
    fn the_median_of_the_turns_decides() {
        assert!(report(&[100, 103, 101, 160, 99]).is_clean());
        assert!(!report(&[100, 104, 105, 104, 99]).is_clean());
        assert!(!report(&[]).is_clean(), "nothing was compared");
    }

    #[test]
    fn the_report_shows_each_turn_and_what_costs_more() {
        let text = report(&[110, 104, 105]).to_string();
        assert!(
            text.contains(
                "| durable add-item | 64 | 10.50 | 10.00 | 1.050 | 1.040 | 1.100 | 1.100 1.040 1.050 |"
            ),
            "{text}"
        );
        assert!(text.contains("durable add-item costs 5.0 % more; 3 % are allowed."), "{text}");
    }

    #[test]
    fn neighbouring_turns_begin_with_the_other_side() {
        for turn in 0..4 {
            let slices = Side::group(turn);
            assert_eq!(slices.iter().filter(|side| **side == Side::This).count(), 2);
            assert_eq!((slices[0], slices[1]), (slices[3], slices[2]), "what drifts meets both");
        }
        assert_ne!(Side::group(0)[0], Side::group(1)[0]);
    }
}
