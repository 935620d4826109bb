//! Chaos: load, `kill -9`, restart, and a check of everything that was ever promised.
//!
//! The clients keep a journal of their own: each request, its key, and its answer (acknowledged, refused, indeterminate).
//! What a server may look like afterwards follows from that journal alone:
//!
//! - `check::order`: versions and reads never go back, over a crash neither;
//! - `check::cart`: some order of the acknowledged changes, each once, and of the indeterminate ones, each at most once,
//!   leads through every image that was answered to the one that is there;
//! - `check::stock`: `0 <= held <= on_hand`, and what is held, sold and stocked lies between what was acknowledged and
//!   that plus what is indeterminate; once the keyed requests were sent again, it is exactly that;
//! - `check::purchase`: what was in a cart is in the order or still in the cart, and nothing is in both.
//!
//! A round goes: `load` until `kill`, restart, `aftermath` (read, send again, replay, read until settled). The checks are
//! pure functions of histories; `world` is where the journal becomes histories.

pub mod aftermath;
pub mod cart;
pub mod check;
pub mod client;
pub mod doors;
pub mod kill;
pub mod load;
pub mod run;
pub mod setup;
pub mod world;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// A stable word for the rule.
    pub rule: &'static str,
    pub what: String,
}

impl Violation {
    pub fn new(rule: &'static str, what: impl Into<String>) -> Self {
        Self { rule, what: what.into() }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}
