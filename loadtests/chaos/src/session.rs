//! What the clients of a load share.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use smartcart_testkit::{http::Request, report::Violation};
use tokio::sync::Notify;

use crate::{
    client::{Client, Outcome, Ticks, Timed},
    endpoints::Endpoints,
    history::History,
    journal::{Entry, Meaning},
    kill_switch::KillSwitch,
};

/// What the clients of a round share.
#[derive(Debug)]
pub struct Session {
    pub history: Mutex<History>,
    pub endpoints: Arc<Endpoints>,
    pub token: String,
    pub ticks: Ticks,
    pub stop: AtomicBool,
    pub kill_switch: KillSwitch,
    /// Told of each checkout that was answered.
    pub checkout_answered: Notify,
    /// Promises that were broken under the load.
    violations: Mutex<Vec<Violation>>,
    /// Requests that were sent again with their keys under the load, by what they did.
    repeats: Mutex<BTreeMap<&'static str, usize>>,
    /// Reads that got no answer, or a 5xx.
    failed_reads: Mutex<Vec<String>>,
    /// Changes that found no endpoint open.
    not_sent: AtomicUsize,
    /// How long each read took.
    read_times: Mutex<Vec<Duration>>,
}

impl Session {
    pub fn new(endpoints: Endpoints, token: &str) -> Self {
        Self {
            history: Mutex::default(),
            endpoints: Arc::new(endpoints),
            token: token.to_owned(),
            ticks: Ticks::default(),
            stop: AtomicBool::new(false),
            kill_switch: KillSwitch::default(),
            checkout_answered: Notify::new(),
            violations: Mutex::default(),
            repeats: Mutex::default(),
            failed_reads: Mutex::default(),
            not_sent: AtomicUsize::new(0),
            read_times: Mutex::default(),
        }
    }

    pub fn history(&self) -> MutexGuard<'_, History> {
        locked(&self.history)
    }

    pub fn take_read_times(&self) -> Vec<Duration> {
        std::mem::take(&mut *locked(&self.read_times))
    }

    pub fn take_violations(&self) -> Vec<Violation> {
        std::mem::take(&mut *locked(&self.violations))
    }

    pub fn violated(&self, violation: Violation) {
        locked(&self.violations).push(violation);
    }

    pub fn take_repeats(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut *locked(&self.repeats))
    }

    pub fn repeated(&self, kind: &'static str) {
        *locked(&self.repeats).entry(kind).or_default() += 1;
    }

    pub fn take_failed_reads(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.failed_reads))
    }

    pub fn take_not_sent(&self) -> usize {
        self.not_sent.swap(0, Ordering::Relaxed)
    }

    pub fn note_read(&self, path: &str, read: &Timed) {
        locked(&self.read_times).push(read.took);
        if matches!(read.outcome, Outcome::NotSent | Outcome::Indeterminate(_)) {
            locked(&self.failed_reads).push(format!("{path}: {:?}", read.outcome));
        }
    }

    /// Writes a request down, with what came of it.
    pub fn note(&self, meaning: Meaning, request: Request, first: Timed, again: Option<Timed>) {
        if matches!(first.outcome, Outcome::NotSent) {
            self.not_sent.fetch_add(1, Ordering::Relaxed);
        } else {
            self.history().journal.push(Entry { request, meaning, first, again });
        }
    }

    pub fn client(&self) -> Client {
        Client::new(self.endpoints.clone(), &self.token, self.ticks.clone())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
