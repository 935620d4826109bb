//! The clients' journal: each request, what it was meant to do, and what became of it.

use smartcart_testkit::http::Request;

use crate::{
    cart::{CartChange, Lines},
    client::{Answer, Outcome, Timed},
};

/// What a request was meant to do. Carts, holds and orders by their place in the `History`.
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
