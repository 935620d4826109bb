//! What a replay has done so far: a file of JSON lines that is only ever appended to, so that a killed replay goes on
//! where it stopped.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use smartcart_replay::trade::compare::Stock;
use smartcart_replay::trade::plan::Units;

/// What is replayed: a state file belongs to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scope {
    pub(crate) scarce: bool,
    /// Invoices that lead to requests.
    pub(crate) events: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Run {
        id: String,
        scope: Scope,
    },
    /// A SKU's stock when the replay had set it.
    Stocked {
        sku: String,
        on_hand: i64,
        held: i64,
        sold: i64,
    },
    SignedUp {
        customer: u32,
    },
    Filled {
        cart: String,
        filled: Filled,
    },
    /// Written before the cart's lines are set, so that a resumed replay sets them the same way.
    Reduced {
        cart: String,
        attempt: u32,
        units: Units,
    },
    Closed {
        cart: String,
        order: Option<String>,
    },
    Cancelled {
        invoice: String,
    },
}

/// A cart that has its lines.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Filled {
    /// The shop's id.
    pub(crate) id: String,
    /// The problem codes of the refused lines.
    pub(crate) refused: BTreeMap<String, u32>,
}

/// Everything that the file says.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) stocked: BTreeMap<String, Stock>,
    pub(crate) accounts: HashSet<u32>,
    pub(crate) filled: HashMap<String, Filled>,
    /// The latest reduction of each cart: the number of checkouts refused so far, and the units left.
    pub(crate) reduced: HashMap<String, (u32, Units)>,
    /// The order of each cart that is done with, if it led to one.
    pub(crate) closed: HashMap<String, Option<String>>,
    pub(crate) cancelled: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct State {
    /// Prefix of every idempotency key, and part of every shopper's address: 32 characters.
    pub(crate) run: String,
    inner: Mutex<(File, Known)>,
}

impl State {
    /// Opens the replay's state, or begins one with the run id `fresh`.
    pub(crate) fn open(path: &Path, scope: &Scope, fresh: String) -> Result<Self> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let open = || OpenOptions::new().create(true).append(true).read(true).open(path);
        let mut file = open().with_context(|| format!("cannot write {}", path.display()))?;
        let (begun, known) = load(&mut file).with_context(|| format!("in {}", path.display()))?;
        let run = match begun {
            Some((run, begun)) => {
                ensure!(
                    begun == *scope,
                    "{} belongs to another replay ({begun:?}, now {scope:?}); name another --state or remove it",
                    path.display()
                );
                run
            }
            None => {
                write(&mut file, &Entry::Run { id: fresh.clone(), scope: scope.clone() })?;
                fresh
            }
        };
        Ok(Self { run, inner: Mutex::new((file, known)) })
    }

    /// Looks something up in what is known.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.lock().1)
    }

    pub(crate) fn stocked(&self, sku: &str, stock: Stock) -> Result<()> {
        let Stock { on_hand, held, sold } = stock;
        self.note(Entry::Stocked { sku: sku.to_owned(), on_hand, held, sold })
    }

    pub(crate) fn signed_up(&self, customer: u32) -> Result<()> {
        self.note(Entry::SignedUp { customer })
    }

    pub(crate) fn filled(&self, cart: &str, filled: Filled) -> Result<()> {
        self.note(Entry::Filled { cart: cart.to_owned(), filled })
    }

    pub(crate) fn reduced(&self, cart: &str, attempt: u32, units: Units) -> Result<()> {
        self.note(Entry::Reduced { cart: cart.to_owned(), attempt, units })
    }

    pub(crate) fn closed(&self, cart: &str, order: Option<String>) -> Result<()> {
        self.note(Entry::Closed { cart: cart.to_owned(), order })
    }

    pub(crate) fn cancelled(&self, invoice: &str) -> Result<()> {
        self.note(Entry::Cancelled { invoice: invoice.to_owned() })
    }

    fn note(&self, entry: Entry) -> Result<()> {
        let mut inner = self.lock();
        write(&mut inner.0, &entry)?;
        inner.1.learn(entry);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, (File, Known)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the file, and cuts off a last line that a killed replay left torn: what it said is found out again.
fn load(file: &mut File) -> Result<(Option<(String, Scope)>, Known)> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    file.set_len(whole as u64)?;
    let mut run = None;
    let mut known = Known::default();
    for (index, line) in text[..whole].lines().enumerate() {
        match serde_json::from_str(line).with_context(|| format!("line {}", index + 1))? {
            Entry::Run { id, scope } => run = Some((id, scope)),
            entry => known.learn(entry),
        }
    }
    Ok((run, known))
}

/// One write for each line: a killed replay leaves at most its last line torn.
fn write(file: &mut File, entry: &Entry) -> Result<()> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    file.write_all(&line).context("cannot write the replay's state")
}

impl Known {
    fn learn(&mut self, entry: Entry) {
        match entry {
            Entry::Run { .. } => {}
            Entry::Stocked { sku, on_hand, held, sold } => {
                self.stocked.insert(sku, Stock { on_hand, held, sold });
            }
            Entry::SignedUp { customer } => {
                self.accounts.insert(customer);
            }
            Entry::Filled { cart, filled } => {
                self.filled.insert(cart, filled);
            }
            Entry::Reduced { cart, attempt, units } => {
                self.reduced.insert(cart, (attempt, units));
            }
            Entry::Closed { cart, order } => {
                self.closed.insert(cart, order);
            }
            Entry::Cancelled { invoice } => self.cancelled.push(invoice),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(events: usize) -> Scope {
        Scope { scarce: false, events }
    }

    fn path(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("smartcart-replay-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn given_a_killed_replay_then_the_next_one_knows_all_but_the_torn_line() {
        let path = path("torn");
        let state = State::open(&path, &scope(2), "first".into()).unwrap();
        state.closed("1/1", Some("order".into())).unwrap();
        state.reduced("2/1", 1, Units::from([("A".into(), 3)])).unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"closed\":").unwrap();

        let state = State::open(&path, &scope(2), "second".into()).unwrap();
        state.cancelled("C3").unwrap();
        let state = State::open(&path, &scope(2), "third".into()).unwrap();
        assert_eq!(state.run, "first");
        state.read(|known| {
            assert_eq!(known.closed["1/1"].as_deref(), Some("order"));
            assert_eq!(known.reduced["2/1"], (1, Units::from([("A".into(), 3)])));
            assert_eq!(known.cancelled, ["C3"]);
        });
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn given_another_replays_state_then_it_is_refused() {
        let path = path("other");
        State::open(&path, &scope(2), "first".into()).unwrap();
        assert!(State::open(&path, &scope(3), "second".into()).is_err());
        std::fs::remove_file(path).unwrap();
    }
}
