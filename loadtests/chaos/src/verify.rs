//! After the restart: read everything, send again what is indeterminate, replay what is not, and read until it is settled.

use std::{
    collections::{BTreeMap, HashSet},
    time::{Duration, Instant},
};

use rand::{RngExt as _, seq::IndexedRandom as _};
use smartcart_testkit::{http::Request, random::Rng, report::Violation};

use crate::{
    cart::{Lines, Snapshot, lines_of, snapshot_of},
    check::{
        cart, order, purchase,
        stock::{self, level_of},
    },
    client::{Answer, Client, Outcome, Timed},
    history::{History, Phase},
    journal::{Entry, Meaning},
    session::Session,
};

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

/// What a round's verify found.
#[derive(Debug, Default)]
pub struct Findings {
    pub violations: Vec<Violation>,
    pub retried: usize,
    /// Of those, made before the restart.
    pub replayed: usize,
    /// Acknowledged requests that were sent again.
    pub repeated: usize,
    /// Under the load: requests that were sent again with their keys, by what they did.
    pub repeats: BTreeMap<&'static str, usize>,
    /// From the first read after the restart until everything was as expected.
    pub settled_after: Duration,
}

/// What was read of the shop at one time.
#[derive(Debug, Default)]
struct Survey {
    carts: BTreeMap<usize, (Snapshot, String)>,
    levels: BTreeMap<String, stock::Level>,
    /// By place among the history's orders: lines and status.
    orders: BTreeMap<usize, Option<(Lines, String)>>,
    violations: Vec<Violation>,
}

/// Checks the round and makes it the base of the next.
pub async fn round(session: &Session, rng: &mut Rng) -> Findings {
    let mut client = session.client();
    let mut findings = Findings { violations: session.take_violations(), ..Findings::default() };
    findings.repeats = session.take_repeats();
    let revisited = revisit(&session.history(), rng);
    let began = Instant::now();

    let first = survey(session, &mut client, &revisited).await;
    findings.violations.extend(odd_answers(&session.history(), session.endpoints.len() > 1));
    findings.violations.extend(verdict(&session.history(), &first, Phase::UnderWay));

    send_again(session, &mut client, &mut findings).await;
    repeat(session, &mut client, rng, &mut findings).await;

    let last = loop {
        let survey = survey(session, &mut client, &revisited).await;
        let violations = verdict(&session.history(), &survey, Phase::Settled);
        if violations.is_empty() || began.elapsed() > settles_within(session) {
            findings.violations.extend(violations);
            break survey;
        }
        tokio::time::sleep(PAUSE).await;
    };
    findings.settled_after = began.elapsed();
    let mut known = HashSet::new();
    findings.violations.retain(|violation| known.insert(violation.to_string()));
    let snapshots = last.carts.into_iter().map(|(index, (snapshot, _))| (index, snapshot)).collect();
    if findings.violations.is_empty() {
        session.history().fold(&snapshots);
    }
    findings
}

fn settles_within(session: &Session) -> Duration {
    if session.endpoints.len() > 1 { FLEET_SETTLES_WITHIN } else { SETTLES_WITHIN }
}

/// Everything that was ever seen, once more: at the end of the run.
pub async fn everything(session: &Session) -> Vec<Violation> {
    let everything = {
        let history = session.history();
        Revisited { carts: (0..history.carts.len()).collect(), orders: (0..history.orders.len()).collect() }
    };
    let survey = survey(session, &mut session.client(), &everything).await;
    verdict(&session.history(), &survey, Phase::Settled)
}

/// Carts and orders that are looked at beside the round's own.
#[derive(Debug, Default)]
struct Revisited {
    carts: Vec<usize>,
    orders: Vec<usize>,
}

fn revisit(history: &History, rng: &mut Rng) -> Revisited {
    let mut draw = |of: usize| {
        if of == 0 { Vec::new() } else { (0..REVISITED).map(|_| rng.random_range(0..of)).collect() }
    };
    Revisited { carts: draw(history.carts.len()), orders: draw(history.orders.len()) }
}

async fn survey(session: &Session, client: &mut Client, revisited: &Revisited) -> Survey {
    let mut survey = Survey::default();
    let (carts, skus, orders) = {
        let history = session.history();
        let mut carts = history.touched_carts();
        carts.extend(&revisited.carts);
        let carts: BTreeMap<usize, String> =
            carts.into_iter().map(|index| (index, history.carts[index].id.clone())).collect();
        let of_round = history.journal.iter().filter_map(|entry| order_of(&history, entry));
        let orders: BTreeMap<usize, String> = of_round
            .chain(revisited.orders.iter().copied())
            .map(|i| (i, history.orders[i].id.clone()))
            .collect();
        (carts, history.skus.clone(), orders)
    };
    for (index, id) in carts {
        survey.read_cart(session, client, index, &id).await;
    }
    for (index, id) in orders {
        survey.read_order(client, index, &id).await;
    }
    for sku in skus {
        survey.read_stock(session, client, sku).await;
    }
    survey
}

impl Survey {
    async fn read_cart(&mut self, session: &Session, client: &mut Client, index: usize, id: &str) {
        let Timed { sent, answered, outcome, .. } =
            read(client, Request::get(format!("/v1/carts/{id}"))).await;
        match shown(&outcome).and_then(|answer| Some((snapshot_of(&answer.body)?, answer))) {
            Some((snapshot, answer)) => {
                let status = answer.body["status"].as_str().unwrap_or_default().to_owned();
                let read = cart::Read { snapshot: snapshot.clone(), sent, answered };
                session.history().cart_reads.push((index, read));
                self.carts.insert(index, (snapshot, status));
            }
            None => self.violations.push(Violation::new("cart_lost", format!("{id}: {outcome:?}"))),
        }
    }

    async fn read_order(&mut self, client: &mut Client, index: usize, id: &str) {
        let outcome = read(client, Request::get(format!("/v1/orders/{id}")).by_service()).await.outcome;
        let order = shown(&outcome).and_then(|answer| {
            Some((lines_of(&answer.body)?, answer.body["status"].as_str().unwrap_or_default().to_owned()))
        });
        self.orders.insert(index, order);
    }

    async fn read_stock(&mut self, session: &Session, client: &mut Client, sku: String) {
        let Timed { sent, answered, outcome, .. } =
            read(client, Request::get(format!("/v1/inventory/{sku}")).by_service()).await;
        match shown(&outcome).and_then(|answer| level_of(&answer.body)) {
            Some(level) => {
                session.history().stock_reads.push((sku.clone(), stock::Read { level, sent, answered }));
                self.levels.insert(sku, level);
            }
            None => self.violations.push(Violation::new("stock_lost", format!("{sku}: {outcome:?}"))),
        }
    }
}

/// Reads, again while the server is not yet able to say.
async fn read(client: &mut Client, request: Request) -> Timed {
    until_known(client, &request, |_| false).await
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

/// The order that a checkout of the round placed.
fn order_of(history: &History, entry: &Entry) -> Option<usize> {
    if !matches!(entry.meaning, Meaning::Checkout { .. }) {
        return None;
    }
    let id = entry.made()?.body["id"].as_str()?;
    history.orders.iter().position(|order| order.id == id)
}

/// Every rule over what was read.
fn verdict(history: &History, survey: &Survey, phase: Phase) -> Vec<Violation> {
    let mut violations = survey.violations.clone();
    for (index, (snapshot, status)) in &survey.carts {
        violations.extend(verdict_of_cart(history, survey, *index, snapshot, status, phase));
    }
    for (sku, level) in &survey.levels {
        let reads: Vec<stock::Read> =
            history.stock_reads.iter().filter(|(of, _)| of == sku).map(|(_, read)| *read).collect();
        violations.extend(stock::check_reads(sku, &reads));
        violations.extend(stock::check_sums(sku, level, &history.expected(sku, phase)));
    }
    for (index, found) in &survey.orders {
        violations.extend(verdict_of_order(history, *index, found.as_ref(), phase));
    }
    violations
}

fn verdict_of_cart(
    history: &History,
    survey: &Survey,
    index: usize,
    snapshot: &Snapshot,
    status: &str,
    phase: Phase,
) -> Vec<Violation> {
    let Some(checkout) = history.checkout_of(index) else {
        return cart::check(&history.cart_history(index, snapshot));
    };
    let mut violations: Vec<Violation> =
        order::check(&history.carts[index].id, &history.sightings(index)).into_iter().collect();
    if phase == Phase::Settled {
        let ordered = order_of(history, checkout).and_then(|order| survey.orders.get(&order)?.clone());
        let lines = ordered.map(|(lines, _)| lines);
        let purchase = history.purchase(index, lines, snapshot.lines.clone(), status);
        violations.extend(purchase.iter().flat_map(purchase::check));
    }
    violations
}

fn verdict_of_order(
    history: &History,
    index: usize,
    found: Option<&(Lines, String)>,
    phase: Phase,
) -> Option<Violation> {
    let order = &history.orders[index];
    let Some((lines, status)) = found else {
        return Some(Violation::new("order_lost", format!("order {} is not there", order.id)));
    };
    if *lines != order.lines {
        let what = format!("order {} has {lines:?}; {:?} was answered", order.id, order.lines);
        return Some(Violation::new("order_lines", what));
    }
    let cancelled = |entry: &Entry| matches!(entry.meaning, Meaning::Cancel { order } if order == index);
    let cancels = history.journal.iter().find(|entry| cancelled(entry));
    let expected = order.cancelled || cancels.is_some_and(|entry| entry.made().is_some());
    let open = phase == Phase::UnderWay && cancels.is_some_and(Entry::is_indeterminate);
    (!open && expected != (status == "cancelled")).then(|| {
        Violation::new("order_status", format!("order {} is {status}; cancelled: {expected}", order.id))
    })
}

/// Answers that no correct request should get. In a fleet a pod may ask again on its client's behalf, when a shard changes
/// hands: then the first answer may be a replay.
fn odd_answers(history: &History, in_fleet: bool) -> Vec<Violation> {
    let odd = |entry: &&Entry| match &entry.first.outcome {
        Outcome::Refused(answer) => !may_be_refused(history, &entry.meaning, answer.status),
        Outcome::Acknowledged(answer) => answer.replayed && !in_fleet,
        Outcome::Indeterminate(_) | Outcome::NotSent => false,
    };
    let violation = |entry: &Entry| Violation::new("odd_answer", format!("{entry:?}"));
    history.journal.iter().filter(odd).map(violation).collect()
}

fn may_be_refused(history: &History, meaning: &Meaning, status: u16) -> bool {
    match meaning {
        Meaning::Create => false,
        Meaning::Change { .. } => matches!(status, 404 | 409 | 422),
        Meaning::Extend { hold } | Meaning::Release { hold } | Meaning::Commit { hold } => {
            // An acknowledged hold is there until it is released.
            !history.holds[*hold].lasting && matches!(status, 404 | 409)
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
async fn send_again(session: &Session, client: &mut Client, findings: &mut Findings) {
    let pending: Vec<(usize, Entry)> = {
        let history = session.history();
        let pending = history.journal.iter().enumerate();
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
            session.history().learn(&entry.meaning, answer, matches!(entry.meaning, Meaning::Create));
        }
        if matches!(again.outcome, Outcome::Indeterminate(_) | Outcome::NotSent) {
            let what = format!("{:?} got no answer: {:?}", entry.request, again.outcome);
            findings.violations.push(Violation::new("never_settled", what));
        }
        session.history().journal[index].again = Some(again);
    }
}

/// Repeats some acknowledged requests with their keys: the same outcome, and nothing is made twice.
async fn repeat(session: &Session, client: &mut Client, rng: &mut Rng, findings: &mut Findings) {
    let keyed: Vec<(Request, Answer)> = {
        let history = session.history();
        let keyed = history.journal.iter().filter(|entry| entry.request.key.is_some());
        keyed.filter_map(|entry| Some((entry.request.clone(), entry.made()?.clone()))).collect()
    };
    for _ in 0..REPLAYS.min(keyed.len()) {
        let Some((request, before)) = keyed.choose(rng) else { return };
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
