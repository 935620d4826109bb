//! What the clients know: the entities they have seen, and the journal of the round. Here the journal becomes the
//! histories that the checks judge.

use std::collections::BTreeMap;

use super::{
    cart::{CartChange, Image, Lines, image_of, lines_of},
    check::{
        cart::{self, CartHistory},
        order::Sighting,
        purchase::{Ending, Purchase},
        stock::{self, Expected, Range},
    },
    client::{Answer, Outcome, Request, Timed},
};

/// What a request was meant to do. Carts, holds and orders by their place in the `World`.
#[derive(Debug, Clone)]
pub enum Meaning {
    Create,
    Change { cart: usize, change: CartChange },
    Hold { sku: String, quantity: u32, lasting: bool },
    Extend { hold: usize },
    Release { hold: usize },
    Commit { hold: usize },
    Adjust { sku: String, delta: i64 },
    Checkout { cart: usize, before: Lines },
    Cancel { order: usize },
}

impl Meaning {
    pub const KINDS: [&str; 9] =
        ["create", "change", "hold", "extend", "release", "commit", "adjust", "checkout", "cancel"];

    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change { .. } => "change",
            Self::Hold { .. } => "hold",
            Self::Extend { .. } => "extend",
            Self::Release { .. } => "release",
            Self::Commit { .. } => "commit",
            Self::Adjust { .. } => "adjust",
            Self::Checkout { .. } => "checkout",
            Self::Cancel { .. } => "cancel",
        }
    }
}

/// One request of the round.
#[derive(Debug, Clone)]
pub struct Entry {
    pub request: Request,
    pub meaning: Meaning,
    pub first: Timed,
    /// The same request with the same key, after the restart.
    pub again: Option<Timed>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub enum Fate<'a> {
    /// Made when it was answered.
    Made {
        answer: &'a Answer,
        sent: u64,
        answered: u64,
    },
    /// Made before the restart: its key was replayed.
    MadeEarlier {
        answer: &'a Answer,
        answered: u64,
    },
    Not,
    Unknown,
}

impl Entry {
    pub fn fate(&self) -> Fate<'_> {
        let Timed { sent, answered, .. } = self.first;
        match (&self.first.outcome, self.again.as_ref()) {
            (Outcome::Acknowledged(answer), _) => Fate::Made { answer, sent, answered },
            (Outcome::Refused(_) | Outcome::NotSent, _) => Fate::Not,
            (Outcome::Indeterminate(_), Some(again)) => match &again.outcome {
                Outcome::Acknowledged(answer) if answer.replayed => {
                    Fate::MadeEarlier { answer, answered: again.answered }
                }
                Outcome::Acknowledged(answer) => {
                    Fate::Made { answer, sent: again.sent, answered: again.answered }
                }
                Outcome::Refused(_) => Fate::Not,
                Outcome::Indeterminate(_) | Outcome::NotSent => Fate::Unknown,
            },
            (Outcome::Indeterminate(_), None) => Fate::Unknown,
        }
    }

    /// The answer of a request that was made.
    pub fn made(&self) -> Option<&Answer> {
        match self.fate() {
            Fate::Made { answer, .. } | Fate::MadeEarlier { answer, .. } => Some(answer),
            Fate::Not | Fate::Unknown => None,
        }
    }

    pub fn is_indeterminate(&self) -> bool {
        matches!(self.first.outcome, Outcome::Indeterminate(_))
    }
}

#[derive(Debug, Clone)]
pub struct Cart {
    pub id: String,
    /// As it was when the round began, or when it was created.
    pub base: Image,
    /// One client's own, to be checked out.
    pub private: bool,
}

#[derive(Debug, Clone)]
pub struct Hold {
    pub id: String,
    pub sku: String,
    pub quantity: u32,
    /// Its time ends long after the run; else it expires within the round.
    pub lasting: bool,
    pub live: bool,
    /// Some client acts on it, or does not know what came of it.
    pub busy: bool,
}

#[derive(Debug, Clone)]
pub struct Order {
    pub id: String,
    pub lines: Lines,
    pub cancelled: bool,
    pub busy: bool,
}

/// How far the shop has come with what it does behind its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Sales, releases and restocks of checkouts may be under way; short holds may live.
    UnderWay,
    Settled,
}

#[derive(Debug, Default)]
pub struct World {
    pub skus: Vec<String>,
    /// Stocked and sold by SKU when the round began.
    pub stocked: BTreeMap<String, i64>,
    pub sold: BTreeMap<String, i64>,
    pub carts: Vec<Cart>,
    pub holds: Vec<Hold>,
    pub orders: Vec<Order>,
    pub journal: Vec<Entry>,
    pub cart_reads: Vec<(usize, cart::Read)>,
    pub stock_reads: Vec<(String, stock::Read)>,
}

impl World {
    /// Takes note of what an answer created.
    pub fn learn(&mut self, meaning: &Meaning, answer: &Answer, private: bool) -> Option<usize> {
        let id = answer.body["id"].as_str()?.to_owned();
        match meaning {
            Meaning::Create => {
                if let Some(known) = self.carts.iter().position(|cart| cart.id == id) {
                    return Some(known);
                }
                self.carts.push(Cart { id, base: image_of(&answer.body)?, private });
                Some(self.carts.len() - 1)
            }
            Meaning::Hold { sku, quantity, lasting } => {
                let (sku, quantity, lasting) = (sku.clone(), *quantity, *lasting);
                self.holds.push(Hold { id, sku, quantity, lasting, live: true, busy: false });
                Some(self.holds.len() - 1)
            }
            Meaning::Checkout { .. } => {
                self.orders.push(Order { id, lines: lines_of(&answer.body)?, cancelled: false, busy: false });
                Some(self.orders.len() - 1)
            }
            _ => None,
        }
    }

    pub fn changes_of(&self, cart: usize) -> impl Iterator<Item = (&CartChange, &Entry)> {
        self.journal.iter().filter_map(move |entry| match &entry.meaning {
            Meaning::Change { cart: of, change } if *of == cart => Some((change, entry)),
            _ => None,
        })
    }

    pub fn checkout_of(&self, cart: usize) -> Option<&Entry> {
        self.journal
            .iter()
            .find(|entry| matches!(entry.meaning, Meaning::Checkout { cart: of, .. } if of == cart))
    }

    /// Carts that the round's requests were about, each once.
    pub fn touched_carts(&self) -> Vec<usize> {
        let of = |entry: &Entry| match entry.meaning {
            Meaning::Change { cart, .. } | Meaning::Checkout { cart, .. } => Some(cart),
            _ => None,
        };
        let mut touched: Vec<usize> = self.journal.iter().filter_map(of).collect();
        touched.sort_unstable();
        touched.dedup();
        touched
    }

    /// The history of a cart that was not checked out this round.
    pub fn cart_history(&self, index: usize, last: &Image) -> CartHistory {
        let cart = &self.carts[index];
        let mut reads: Vec<cart::Read> = self.reads_of(index).cloned().collect();
        let mut changes = Vec::new();
        for (change, entry) in self.changes_of(index) {
            let (fate, sent, answered) = match entry.fate() {
                Fate::Made { answer, sent, answered } => {
                    (image_of(&answer.body).map_or(cart::Fate::Made, cart::Fate::Shown), sent, answered)
                }
                Fate::MadeEarlier { answer, answered } => {
                    let sent = entry.again.as_ref().map_or(entry.first.sent, |again| again.sent);
                    reads.extend(image_of(&answer.body).map(|image| cart::Read { image, sent, answered }));
                    (cart::Fate::Made, entry.first.sent, answered)
                }
                Fate::Unknown => (cart::Fate::Perhaps, entry.first.sent, u64::MAX),
                Fate::Not => continue,
            };
            changes.push(cart::Change { change: change.clone(), fate, sent, answered });
        }
        CartHistory { cart: cart.id.clone(), base: cart.base.clone(), changes, reads, last: last.clone() }
    }

    /// What was read of a cart, and when: for carts whose checkout makes versions of its own.
    pub fn sightings(&self, index: usize) -> Vec<Sighting> {
        let read = self.reads_of(index).map(|read| Sighting {
            version: read.image.version,
            sent: read.sent,
            answered: read.answered,
        });
        let shown = self.changes_of(index).filter_map(|(_, entry)| match entry.fate() {
            Fate::Made { answer, sent, answered } => {
                image_of(&answer.body).map(|image| Sighting { version: image.version, sent, answered })
            }
            _ => None,
        });
        read.chain(shown).collect()
    }

    fn reads_of(&self, index: usize) -> impl Iterator<Item = &cart::Read> {
        self.cart_reads.iter().filter(move |(of, _)| *of == index).map(|(_, read)| read)
    }

    /// A checkout of the round, with the order's and the cart's lines as they are now; `None` while its end is not known.
    pub fn purchase(
        &self,
        cart: usize,
        ordered: Option<Lines>,
        left: Lines,
        status: &str,
    ) -> Option<Purchase> {
        let entry = self.checkout_of(cart)?;
        let Meaning::Checkout { before, .. } = &entry.meaning else { return None };
        let ending = match entry.fate() {
            Fate::Made { answer, .. } | Fate::MadeEarlier { answer, .. } => {
                let order = answer.body["id"].as_str().unwrap_or_default().to_owned();
                Ending::Ordered { order, lines: ordered }
            }
            Fate::Not => Ending::Refused,
            Fate::Unknown => return None,
        };
        let (mut added, mut perhaps) = (Lines::new(), Lines::new());
        for (change, racing) in self.changes_of(cart).filter(|(_, other)| other.first.sent > entry.first.sent)
        {
            let CartChange::Add { sku, quantity } = change else { continue };
            match racing.fate() {
                Fate::Made { .. } | Fate::MadeEarlier { .. } => {
                    *added.entry(sku.clone()).or_default() += quantity;
                }
                Fate::Unknown => *perhaps.entry(sku.clone()).or_default() += quantity,
                Fate::Not => {}
            }
        }
        Some(Purchase {
            cart: self.carts[cart].id.clone(),
            before: before.clone(),
            added,
            perhaps,
            ending,
            left,
            status: status.to_owned(),
        })
    }

    /// What a SKU may be, given the journal.
    pub fn expected(&self, sku: &str, phase: Phase) -> Expected {
        let start = |of: &BTreeMap<String, i64>| Range::exactly(of.get(sku).copied().unwrap_or(0));
        let mut expected =
            Expected { stocked: start(&self.stocked), held: Range::default(), sold: start(&self.sold) };
        for (index, hold) in self.holds.iter().enumerate().filter(|(_, hold)| hold.live && hold.sku == sku) {
            expected += self.expected_of_hold(index, hold, phase);
        }
        for entry in &self.journal {
            expected += self.expected_of_entry(entry, sku, phase);
        }
        expected
    }

    fn expected_of_hold(&self, index: usize, hold: &Hold, phase: Phase) -> Expected {
        let quantity = i64::from(hold.quantity);
        let (mut lasting, mut extended_perhaps) = (hold.lasting, false);
        let (mut ended, mut ended_perhaps, mut sold) = (false, false, Range::default());
        for entry in &self.journal {
            let (made, unknown) = (entry.made().is_some(), matches!(entry.fate(), Fate::Unknown));
            match entry.meaning {
                Meaning::Extend { hold: of } if of == index => {
                    lasting |= made;
                    extended_perhaps |= unknown;
                }
                Meaning::Release { hold: of } if of == index => {
                    ended |= made;
                    ended_perhaps |= unknown;
                }
                Meaning::Commit { hold: of } if of == index => {
                    ended |= made;
                    ended_perhaps |= unknown;
                    if made {
                        sold = Range::exactly(quantity);
                    } else if unknown {
                        sold = Range::up_to(quantity);
                    }
                }
                _ => {}
            }
        }
        let expired = phase == Phase::Settled && !lasting && !extended_perhaps;
        let held = if ended || expired {
            Range::default()
        } else if lasting && !ended_perhaps {
            Range::exactly(quantity)
        } else {
            Range::up_to(quantity)
        };
        Expected { held, sold, ..Expected::default() }
    }

    fn expected_of_entry(&self, entry: &Entry, sku: &str, phase: Phase) -> Expected {
        let made = entry.made();
        let unknown = matches!(entry.fate(), Fate::Unknown);
        let mut expected = Expected::default();
        match &entry.meaning {
            Meaning::Adjust { sku: of, delta } if of == sku => match (made, unknown) {
                (Some(_), _) => expected.stocked = Range::exactly(*delta),
                (None, true) => expected.stocked = Range::up_to(*delta),
                (None, false) => {}
            },
            // A hold whose answer came is among the holds.
            Meaning::Hold { sku: of, quantity, .. } if of == sku && unknown => {
                expected.held = Range::up_to(i64::from(*quantity));
            }
            Meaning::Checkout { cart, before } => {
                let ordered = made.and_then(|answer| lines_of(&answer.body));
                let at_most = units(before, sku) + self.racing_units(*cart, entry.first.sent, sku);
                let sold = ordered.map_or(at_most, |lines| units(&lines, sku));
                match (made, unknown, phase) {
                    (Some(_), _, Phase::Settled) => expected.sold = Range::exactly(sold),
                    (Some(_), _, Phase::UnderWay) | (None, true, _) => {
                        expected.sold = Range::up_to(sold);
                        expected.held = Range::up_to(sold);
                    }
                    (None, false, Phase::UnderWay) => expected.held = Range::up_to(at_most),
                    (None, false, Phase::Settled) => {}
                }
            }
            Meaning::Cancel { order } => {
                let back = -units(&self.orders[*order].lines, sku);
                match (made, unknown, phase) {
                    (Some(_), _, Phase::Settled) => expected.sold = Range::exactly(back),
                    (Some(_), _, Phase::UnderWay) | (None, true, _) => expected.sold = Range::up_to(back),
                    (None, false, _) => {}
                }
            }
            _ => {}
        }
        expected
    }

    /// The most that may have come into a cart while it was being checked out.
    fn racing_units(&self, cart: usize, since: u64, sku: &str) -> i64 {
        self.changes_of(cart)
            .filter(|(_, entry)| entry.first.sent > since)
            .map(|(change, _)| match change {
                CartChange::Add { sku: of, quantity } if of == sku => i64::from(*quantity),
                _ => 0,
            })
            .sum()
    }

    /// The round is over and was found to be exactly as expected: it becomes the base of the next.
    pub fn fold(&mut self, carts: &BTreeMap<usize, Image>) {
        let settled: Vec<(String, Expected)> =
            self.skus.iter().map(|sku| (sku.clone(), self.expected(sku, Phase::Settled))).collect();
        for (sku, expected) in settled {
            self.stocked.insert(sku.clone(), expected.stocked.low);
            self.sold.insert(sku, expected.sold.low);
        }
        for (index, image) in carts {
            self.carts[*index].base.clone_from(image);
        }
        for entry in std::mem::take(&mut self.journal) {
            let made = entry.made().is_some();
            match entry.meaning {
                Meaning::Extend { hold } => self.holds[hold].lasting |= made,
                Meaning::Release { hold } | Meaning::Commit { hold } => self.holds[hold].live &= !made,
                Meaning::Cancel { order } => self.orders[order].cancelled |= made,
                _ => {}
            }
        }
        for hold in &mut self.holds {
            hold.live &= hold.lasting;
            hold.busy = false;
        }
        for order in &mut self.orders {
            order.busy = false;
        }
        self.cart_reads.clear();
        self.stock_reads.clear();
    }
}

fn units(lines: &Lines, sku: &str) -> i64 {
    lines.get(sku).copied().map_or(0, i64::from)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(body: Value, replayed: bool) -> Outcome {
        Outcome::Acknowledged(Answer { status: 200, replayed, body })
    }

    fn timed(outcome: Outcome) -> Timed {
        Timed { sent: 1, answered: 2, took: std::time::Duration::ZERO, outcome }
    }

    fn entry(meaning: Meaning, first: Outcome, again: Option<Outcome>) -> Entry {
        let request = Request { method: "POST", path: String::new(), body: None, key: None, service: true };
        Entry { request, meaning, first: timed(first), again: again.map(timed) }
    }

    fn lost() -> Outcome {
        Outcome::Indeterminate("the server closed the connection".into())
    }

    fn world(journal: Vec<Entry>) -> World {
        let mut world = World { skus: vec!["A".into()], journal, ..World::default() };
        world.stocked.insert("A".into(), 100);
        world
    }

    fn adjust(delta: i64, first: Outcome, again: Option<Outcome>) -> Entry {
        entry(Meaning::Adjust { sku: "A".into(), delta }, first, again)
    }

    #[test]
    fn an_indeterminate_adjustment_widens_the_range_until_it_is_retried() {
        let stocked = |journal| world(journal).expected("A", Phase::Settled).stocked;
        assert_eq!(stocked(vec![adjust(5, answer(json!({}), false), None)]), Range::exactly(105));
        assert_eq!(stocked(vec![adjust(5, lost(), None)]), Range { low: 100, high: 105 });
        assert_eq!(stocked(vec![adjust(-5, lost(), None)]), Range { low: 95, high: 100 });
        assert_eq!(stocked(vec![adjust(5, lost(), Some(answer(json!({}), true)))]), Range::exactly(105));
        assert_eq!(stocked(vec![adjust(5, lost(), Some(answer(json!({}), false)))]), Range::exactly(105));
    }

    #[test]
    fn a_hold_counts_until_it_is_released_sold_or_expired() {
        let held = |lasting, meaning: Option<Meaning>, outcome: Outcome, phase| {
            let mut world = world(meaning.map(|meaning| entry(meaning, outcome, None)).into_iter().collect());
            let (id, sku) = ("h".to_owned(), "A".to_owned());
            world.holds.push(Hold { id, sku, quantity: 3, lasting, live: true, busy: false });
            let Expected { held, sold, .. } = world.expected("A", phase);
            (held, sold)
        };
        let none = Range::default();
        assert_eq!(held(true, None, lost(), Phase::Settled), (Range::exactly(3), none));
        assert_eq!(held(false, None, lost(), Phase::UnderWay), (Range::up_to(3), none));
        assert_eq!(held(false, None, lost(), Phase::Settled), (none, none));
        let done = || answer(json!({}), false);
        assert_eq!(held(true, Some(Meaning::Release { hold: 0 }), done(), Phase::Settled), (none, none));
        assert_eq!(
            held(true, Some(Meaning::Release { hold: 0 }), lost(), Phase::Settled),
            (Range::up_to(3), none)
        );
        assert_eq!(
            held(true, Some(Meaning::Commit { hold: 0 }), done(), Phase::Settled),
            (none, Range::exactly(3))
        );
        assert_eq!(
            held(false, Some(Meaning::Extend { hold: 0 }), done(), Phase::Settled),
            (Range::exactly(3), none)
        );
    }

    #[test]
    fn an_acknowledged_checkout_is_sold_once_it_has_settled() {
        let before = Lines::from([("A".to_owned(), 2)]);
        let body = json!({ "id": "o", "items": [{ "sku": "A", "quantity": 2 }] });
        let checkout = entry(Meaning::Checkout { cart: 0, before }, answer(body, false), None);
        let world = world(vec![checkout]);
        assert_eq!(world.expected("A", Phase::Settled).sold, Range::exactly(2));
        let under_way = world.expected("A", Phase::UnderWay);
        assert_eq!((under_way.sold, under_way.held), (Range::up_to(2), Range::up_to(2)));
    }

    #[test]
    fn a_replayed_retry_was_made_before_and_a_fresh_one_then() {
        let earlier = adjust(1, lost(), Some(answer(json!({}), true)));
        assert!(matches!(earlier.fate(), Fate::MadeEarlier { .. }));
        let fresh = adjust(1, lost(), Some(answer(json!({}), false)));
        assert!(matches!(fresh.fate(), Fate::Made { .. }));
        let refused = Outcome::Refused(Answer { status: 409, replayed: false, body: Value::Null });
        assert!(matches!(adjust(1, lost(), Some(refused)).fate(), Fate::Not));
        assert!(matches!(adjust(1, lost(), None).fate(), Fate::Unknown));
    }
}
