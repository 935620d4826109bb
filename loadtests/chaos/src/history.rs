//! What the clients know: the entities they have seen, and the journal of the round. Here the journal becomes the
//! histories that the checks judge.

use std::collections::BTreeMap;

use crate::{
    cart::{CartChange, Lines, Snapshot, lines_of, snapshot_of},
    check::{
        cart::{self, CartHistory},
        order::Sighting,
        purchase::{Ending, Purchase},
        stock::{self, Expected, Range},
    },
    client::Answer,
    journal::{Entry, Fate, Meaning},
};

#[derive(Debug, Clone)]
pub struct Cart {
    pub id: String,
    /// As it was when the round began, or when it was created.
    pub base: Snapshot,
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
pub struct History {
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

impl History {
    /// Takes note of what an answer created.
    pub fn learn(&mut self, meaning: &Meaning, answer: &Answer, private: bool) -> Option<usize> {
        let id = answer.body["id"].as_str()?.to_owned();
        match meaning {
            Meaning::Create => {
                if let Some(known) = self.carts.iter().position(|cart| cart.id == id) {
                    return Some(known);
                }
                self.carts.push(Cart { id, base: snapshot_of(&answer.body)?, private });
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
    pub fn cart_history(&self, index: usize, last: &Snapshot) -> CartHistory {
        let cart = &self.carts[index];
        let mut reads: Vec<cart::Read> = self.reads_of(index).cloned().collect();
        let mut changes = Vec::new();
        for (change, entry) in self.changes_of(index) {
            let (fate, sent, answered) = match entry.fate() {
                Fate::Made { answer, sent, answered } => {
                    (snapshot_of(&answer.body).map_or(cart::Fate::Made, cart::Fate::Shown), sent, answered)
                }
                Fate::MadeEarlier { answer, answered } => {
                    let sent = entry.again.as_ref().map_or(entry.first.sent, |again| again.sent);
                    reads.extend(snapshot_of(&answer.body).map(|snapshot| cart::Read {
                        snapshot,
                        sent,
                        answered,
                    }));
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
            version: read.snapshot.version,
            sent: read.sent,
            answered: read.answered,
        });
        let shown = self.changes_of(index).filter_map(|(_, entry)| match entry.fate() {
            Fate::Made { answer, sent, answered } => snapshot_of(&answer.body).map(|snapshot| Sighting {
                version: snapshot.version,
                sent,
                answered,
            }),
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
    pub fn fold(&mut self, carts: &BTreeMap<usize, Snapshot>) {
        let settled: Vec<(String, Expected)> =
            self.skus.iter().map(|sku| (sku.clone(), self.expected(sku, Phase::Settled))).collect();
        for (sku, expected) in settled {
            self.stocked.insert(sku.clone(), expected.stocked.low);
            self.sold.insert(sku, expected.sold.low);
        }
        for (index, snapshot) in carts {
            self.carts[*index].base.clone_from(snapshot);
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
mod tests;
