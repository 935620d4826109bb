//! Answers that are lost on purpose: those that tell a pod that something is durable.

use std::{
    io::{self, ErrorKind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rand::RngExt as _;

use crate::random::{Rng, seeded};

/// What is to be lost, and what was. A commit is PostgreSQL's, or an append to a journal in Redis.
#[derive(Debug)]
pub struct Losses {
    rng: Mutex<Rng>,
    percent: AtomicU64,
    slower_us: AtomicU64,
    commits: AtomicU64,
    lost: AtomicU64,
    appends_lost: AtomicU64,
    unreadable: AtomicU64,
}

impl Losses {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Mutex::new(seeded(seed)),
            percent: AtomicU64::new(0),
            slower_us: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            appends_lost: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
        }
    }

    /// From now on so many answers to commits in a hundred are lost.
    pub fn lose(&self, percent: u64) {
        self.percent.store(percent, Ordering::SeqCst);
    }

    /// From now on answers to commits, and no others, come so much later.
    pub fn slow_down(&self, by: Duration) {
        self.slower_us.store(u64::try_from(by.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    pub(super) fn slower(&self) -> Duration {
        Duration::from_micros(self.slower_us.load(Ordering::SeqCst))
    }

    /// Answers to commits that came by, lost ones included.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::SeqCst)
    }

    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
    }

    /// Of the lost answers, those to appends to the journal.
    pub fn appends_lost(&self) -> u64 {
        self.appends_lost.load(Ordering::SeqCst)
    }

    /// Connections that were reset because they could not be followed, as those with TLS cannot.
    pub fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::SeqCst)
    }

    /// An answer to a commit has come: whether it is lost.
    pub(super) fn take(&self, appends: bool) -> bool {
        self.commits.fetch_add(1, Ordering::SeqCst);
        let drawn = self.rng.lock().unwrap_or_else(PoisonError::into_inner).random_range(0..=99);
        let lost = drawn < self.percent.load(Ordering::SeqCst);
        self.lost.fetch_add(lost.into(), Ordering::SeqCst);
        self.appends_lost.fetch_add((lost && appends).into(), Ordering::SeqCst);
        lost
    }

    /// A connection that cannot be followed is reset.
    pub(super) fn unreadable_here<T>(&self) -> io::Result<T> {
        self.unreadable.fetch_add(1, Ordering::SeqCst);
        Err(ErrorKind::InvalidData.into())
    }
}
