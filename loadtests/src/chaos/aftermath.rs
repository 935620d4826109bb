//! After the restart: read everything, send again what is indeterminate, replay what is not, and read until it is settled.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Violation,
    cart::{Image, Lines, image_of, lines_of},
    check::{cart, order, purchase, stock},
    client::{Answer, Client, Outcome, Request, Timed},
    load::Stage,
    world::{Entry, Meaning, Phase, World},
};
use crate::rng::Rng;

/// How long the shop may take, after a start, to finish what it had begun.
const SETTLES_WITHIN: Duration = Duration::from_secs(10);
/// In a fleet a message of a checkout may arrive after the checkout was finished by somebody else: its hold asks the
/// cart after half a minute.
const FLEET_SETTLES_WITHIN: Duration = Duration::from_secs(45);
/// How long a request may go on being indeterminate after a restart.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);
/// Acknowledged requests whose key is replayed, each round.
const REPLAYS: usize = 30;
/// Carts and orders of earlier rounds that are looked at again, each round.
const REVISITED: usize = 20;

/// What a round's aftermath found.
#[derive(Debug, Default)]
pub struct Findings {
    pub violations: Vec<Violation>,
    pub retried: usize,
    /// Of those, made before the restart.
    pub replayed: usize,
    /// Acknowledged requests that were sent again.
    pub repeated: usize,
    /// From the first read after the restart until everything was as expected.
    pub settled_after: Duration,
}

/// What was read of the shop at one time.
#[derive(Debug, Default)]
struct Survey {
    carts: BTreeMap<usize, (Image, String)>,
    levels: BTreeMap<String, stock::Level>,
    /// By place among the world's orders: lines and status.
    orders: BTreeMap<usize, Option<(Lines, String)>>,
    violations: Vec<Violation>,
}

/// Checks the round and makes it the base of the next.
pub async fn judge(stage: &Stage, rng: &mut Rng) -> Findings {
    let mut client = stage.client();
    let mut findings = Findings::default();
    let revisited = revisit(&stage.world(), rng);
    let began = Instant::now();

    let first = survey(stage, &mut client, &revisited).await;
    findings.violations.extend(odd_answers(&stage.world(), stage.doors.len() > 1));
    findings.violations.extend(verdict(&stage.world(), &first, Phase::UnderWay));

    send_again(stage, &mut client, &mut findings).await;
    repeat(stage, &mut client, rng, &mut findings).await;

    let last = loop {
        let survey = survey(stage, &mut client, &revisited).await;
        let violations = verdict(&stage.world(), &survey, Phase::Settled);
        if violations.is_empty() || began.elapsed() > settles_within(stage) {
            findings.violations.extend(violations);
            break survey;
        }
        tokio::time::sleep(PAUSE).await;
    };
    findings.settled_after = began.elapsed();
    let mut known = HashSet::new();
    findings.violations.retain(|violation| known.insert(violation.to_string()));
    let images = last.carts.into_iter().map(|(index, (image, _))| (index, image)).collect();
    if findings.violations.is_empty() {
        stage.world().fold(&images);
    }
    findings
}

fn settles_within(stage: &Stage) -> Duration {
    if stage.doors.len() > 1 { FLEET_SETTLES_WITHIN } else { SETTLES_WITHIN }
}

/// Everything that was ever seen, once more: at the end of the run.
pub async fn judge_everything(stage: &Stage) -> Vec<Violation> {
    let everything = {
        let world = stage.world();
        Revisited { carts: (0..world.carts.len()).collect(), orders: (0..world.orders.len()).collect() }
    };
    let survey = survey(stage, &mut stage.client(), &everything).await;
    verdict(&stage.world(), &survey, Phase::Settled)
}

/// Carts and orders that are looked at beside the round's own.
#[derive(Debug, Default)]
struct Revisited {
    carts: Vec<usize>,
    orders: Vec<usize>,
}

fn revisit(world: &World, rng: &mut Rng) -> Revisited {
    let mut draw =
        |of: usize| if of == 0 { Vec::new() } else { (0..REVISITED).map(|_| rng.below(of)).collect() };
    Revisited { carts: draw(world.carts.len()), orders: draw(world.orders.len()) }
}

async fn survey(stage: &Stage, client: &mut Client, revisited: &Revisited) -> Survey {
    let mut survey = Survey::default();
    let (carts, skus, orders) = {
        let world = stage.world();
        let mut carts = world.touched_carts();
        carts.extend(&revisited.carts);
        let carts: BTreeMap<usize, String> =
            carts.into_iter().map(|index| (index, world.carts[index].id.clone())).collect();
        let of_round = world.journal.iter().filter_map(|entry| order_of(&world, entry));
        let orders: BTreeMap<usize, String> = of_round
            .chain(revisited.orders.iter().copied())
            .map(|i| (i, world.orders[i].id.clone()))
            .collect();
        (carts, world.skus.clone(), orders)
    };
    for (index, id) in carts {
        survey.read_cart(stage, client, index, &id).await;
    }
    for (index, id) in orders {
        survey.read_order(client, index, &id).await;
    }
    for sku in skus {
        survey.read_stock(stage, client, sku).await;
    }
    survey
}

impl Survey {
    async fn read_cart(&mut self, stage: &Stage, client: &mut Client, index: usize, id: &str) {
        let Timed { sent, answered, outcome, .. } = read(client, format!("/v1/carts/{id}"), false).await;
        match shown(&outcome).and_then(|answer| Some((image_of(&answer.body)?, answer))) {
            Some((image, answer)) => {
                let status = answer.body["status"].as_str().unwrap_or_default().to_owned();
                let read = cart::Read { image: image.clone(), sent, answered };
                stage.world().cart_reads.push((index, read));
                self.carts.insert(index, (image, status));
            }
            None => self.violations.push(Violation::new("cart_lost", format!("{id}: {outcome:?}"))),
        }
    }

    async fn read_order(&mut self, client: &mut Client, index: usize, id: &str) {
        let outcome = read(client, format!("/v1/orders/{id}"), true).await.outcome;
        let order = shown(&outcome).and_then(|answer| {
            Some((lines_of(&answer.body)?, answer.body["status"].as_str().unwrap_or_default().to_owned()))
        });
        self.orders.insert(index, order);
    }

    async fn read_stock(&mut self, stage: &Stage, client: &mut Client, sku: String) {
        let Timed { sent, answered, outcome, .. } = read(client, format!("/v1/inventory/{sku}"), true).await;
        match shown(&outcome).and_then(|answer| level_of(&answer.body)) {
            Some(level) => {
                stage.world().stock_reads.push((sku.clone(), stock::Read { level, sent, answered }));
                self.levels.insert(sku, level);
            }
            None => self.violations.push(Violation::new("stock_lost", format!("{sku}: {outcome:?}"))),
        }
    }
}

/// Reads, again while the server is not yet able to say.
async fn read(client: &mut Client, path: String, service: bool) -> Timed {
    until_known(client, &Request::read(path, service), |_| false).await
}

/// Sends until the outcome is known. `not_yet` names refusals that mean 'ask again'.
async fn until_known(client: &mut Client, request: &Request, not_yet: fn(&Answer) -> bool) -> Timed {
    let began = Instant::now();
    loop {
        let timed = client.send(request).await;
        let known = match &timed.outcome {
            Outcome::Acknowledged(_) => true,
            Outcome::Refused(answer) => !not_yet(answer),
            Outcome::Indeterminate(_) | Outcome::NotSent => false,
        };
        if known || began.elapsed() > ANSWERS_WITHIN {
            return timed;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

const fn shown(outcome: &Outcome) -> Option<&Answer> {
    match outcome {
        Outcome::Acknowledged(answer) => Some(answer),
        _ => None,
    }
}

pub fn level_of(document: &Value) -> Option<stock::Level> {
    let units = |name: &str| document[name].as_i64();
    Some(stock::Level {
        version: document["version"].as_u64()?,
        on_hand: units("on_hand")?,
        held: units("held")?,
        available: units("available")?,
        sold: units("sold")?,
    })
}

/// The order that a checkout of the round placed.
fn order_of(world: &World, entry: &Entry) -> Option<usize> {
    if !matches!(entry.meaning, Meaning::Checkout { .. }) {
        return None;
    }
    let id = entry.made()?.body["id"].as_str()?;
    world.orders.iter().position(|order| order.id == id)
}

/// Every rule over what was read.
fn verdict(world: &World, survey: &Survey, phase: Phase) -> Vec<Violation> {
    let mut violations = survey.violations.clone();
    for (index, (image, status)) in &survey.carts {
        violations.extend(verdict_of_cart(world, survey, *index, image, status, phase));
    }
    for (sku, level) in &survey.levels {
        let reads: Vec<stock::Read> =
            world.stock_reads.iter().filter(|(of, _)| of == sku).map(|(_, read)| *read).collect();
        violations.extend(stock::check_reads(sku, &reads));
        violations.extend(stock::check_sums(sku, level, &world.expected(sku, phase)));
    }
    for (index, found) in &survey.orders {
        violations.extend(verdict_of_order(world, *index, found.as_ref(), phase));
    }
    violations
}

fn verdict_of_cart(
    world: &World,
    survey: &Survey,
    index: usize,
    image: &Image,
    status: &str,
    phase: Phase,
) -> Vec<Violation> {
    let Some(checkout) = world.checkout_of(index) else {
        return cart::check(&world.cart_history(index, image));
    };
    let mut violations: Vec<Violation> =
        order::check(&world.carts[index].id, &world.sightings(index)).into_iter().collect();
    if phase == Phase::Settled {
        let ordered = order_of(world, checkout).and_then(|order| survey.orders.get(&order)?.clone());
        let lines = ordered.map(|(lines, _)| lines);
        let purchase = world.purchase(index, lines, image.lines.clone(), status);
        violations.extend(purchase.iter().flat_map(purchase::check));
    }
    violations
}

fn verdict_of_order(
    world: &World,
    index: usize,
    found: Option<&(Lines, String)>,
    phase: Phase,
) -> Option<Violation> {
    let order = &world.orders[index];
    let Some((lines, status)) = found else {
        return Some(Violation::new("order_lost", format!("order {} is not there", order.id)));
    };
    if *lines != order.lines {
        let what = format!("order {} has {lines:?}; {:?} was answered", order.id, order.lines);
        return Some(Violation::new("order_lines", what));
    }
    let cancelled = |entry: &Entry| matches!(entry.meaning, Meaning::Cancel { order } if order == index);
    let cancels = world.journal.iter().find(|entry| cancelled(entry));
    let expected = order.cancelled || cancels.is_some_and(|entry| entry.made().is_some());
    let open = phase == Phase::UnderWay && cancels.is_some_and(Entry::is_indeterminate);
    (!open && expected != (status == "cancelled")).then(|| {
        Violation::new("order_status", format!("order {} is {status}; cancelled: {expected}", order.id))
    })
}

/// Answers that no correct request should get. In a fleet a pod may ask again on its client's behalf, when a shard changes
/// hands: then the first answer may be a replay.
fn odd_answers(world: &World, in_fleet: bool) -> Vec<Violation> {
    let odd = |entry: &&Entry| match &entry.first.outcome {
        Outcome::Refused(answer) => !may_be_refused(world, &entry.meaning, answer.status),
        Outcome::Acknowledged(answer) => answer.replayed && !in_fleet,
        Outcome::Indeterminate(_) | Outcome::NotSent => false,
    };
    let violation = |entry: &Entry| Violation::new("odd_answer", format!("{entry:?}"));
    world.journal.iter().filter(odd).map(violation).collect()
}

fn may_be_refused(world: &World, meaning: &Meaning, status: u16) -> bool {
    match meaning {
        Meaning::Create => false,
        Meaning::Change { .. } => matches!(status, 404 | 409 | 422),
        Meaning::Extend { hold } | Meaning::Release { hold } | Meaning::Commit { hold } => {
            // An acknowledged hold is there until it is released.
            !world.holds[*hold].lasting && matches!(status, 404 | 409)
        }
        Meaning::Hold { .. } | Meaning::Adjust { .. } | Meaning::Checkout { .. } | Meaning::Cancel { .. } => {
            matches!(status, 409 | 422)
        }
    }
}

/// A checkout that goes on after the restart is not refused for good.
fn still_running(answer: &Answer) -> bool {
    answer.body["code"] == "checkout_in_progress"
}

/// Sends the indeterminate requests that bear a key again, until each outcome is known.
async fn send_again(stage: &Stage, client: &mut Client, findings: &mut Findings) {
    let pending: Vec<(usize, Entry)> = {
        let world = stage.world();
        let pending = world.journal.iter().enumerate();
        pending
            .filter(|(_, entry)| entry.is_indeterminate() && entry.request.key.is_some())
            .map(|(index, entry)| (index, entry.clone()))
            .collect()
    };
    for (index, entry) in pending {
        let again = until_known(client, &entry.request, still_running).await;
        findings.retried += 1;
        if let Outcome::Acknowledged(answer) = &again.outcome {
            findings.replayed += usize::from(answer.replayed);
            stage.world().learn(&entry.meaning, answer, matches!(entry.meaning, Meaning::Create));
        }
        if matches!(again.outcome, Outcome::Indeterminate(_) | Outcome::NotSent) {
            let what = format!("{:?} got no answer: {:?}", entry.request, again.outcome);
            findings.violations.push(Violation::new("never_settled", what));
        }
        stage.world().journal[index].again = Some(again);
    }
}

/// Repeats some acknowledged requests with their keys: the same outcome, and nothing is made twice.
async fn repeat(stage: &Stage, client: &mut Client, rng: &mut Rng, findings: &mut Findings) {
    let keyed: Vec<(Request, Answer)> = {
        let world = stage.world();
        let keyed = world.journal.iter().filter(|entry| entry.request.key.is_some());
        keyed.filter_map(|entry| Some((entry.request.clone(), entry.made()?.clone()))).collect()
    };
    for _ in 0..REPLAYS.min(keyed.len()) {
        let Some((request, before)) = rng.pick(&keyed) else { return };
        let outcome = until_known(client, request, |_| false).await.outcome;
        findings.repeated += 1;
        let same = shown(&outcome).is_some_and(|answer| {
            answer.replayed && answer.status == before.status && answer.body["id"] == before.body["id"]
        });
        if !same {
            let what = format!("{request:?} was answered {before:?} and is now answered {outcome:?}");
            findings.violations.push(Violation::new("replay_differs", what));
        }
    }
}
