//! Admission: ractor's mailboxes have no bound, so the work is bounded before it gets there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::RwLock;
use tokio::sync::Notify;

use crate::{limits::REQUEST_DEADLINE, ownership::shard_map::ShardGuard, shed::shed, trouble::Troubles};
use smartcart_domain::{idempotency::Caller, request::Shed};

#[derive(Debug, Clone, Copy)]
pub struct AdmissionConfig {
    /// Requests of the whole process that are accepted and not answered.
    pub in_flight: usize,
    /// Of one cart: a shopper has not more hands than this.
    pub per_cart: u32,
    /// Of one SKU: a flash sale.
    pub per_stock: u32,
    /// A request that has waited this long is not begun any more.
    pub deadline: Duration,
}

impl Default for AdmissionConfig {
    fn default() -> Self {
        Self { in_flight: 8192, per_cart: 32, per_stock: 4096, deadline: REQUEST_DEADLINE }
    }
}

/// Admits requests, and refuses changes when something that they need is away or has failed for good.
#[derive(Debug, Default)]
pub struct AdmissionController {
    limit: usize,
    /// In a fleet: the silence after which the other pods take over this one's shards. Nothing: there are no others.
    suspicion_timeout: Option<Duration>,
    in_flight: AtomicUsize,
    closed: AtomicBool,
    /// The write-behind cannot keep up.
    congested: AtomicBool,
    /// How much waits in memory for the tables, as a `Pressure`.
    pressure: AtomicU8,
    /// What cannot be reached at the moment, as bits of `Away`.
    away: AtomicU8,
    /// What is tried again until it works.
    pub(crate) troubles: Troubles,
    /// Why nothing can be changed any more.
    read_only: RwLock<Option<String>>,
    /// Woken when nothing can be changed any more.
    failed: Notify,
}

/// What is done about the memory that waits for the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Pressure {
    Normal = 0,
    /// Guests' changes are refused.
    Guests = 1,
    /// All changes are refused.
    All = 2,
}

/// Something without which no change is accepted; it may come back.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Away {
    /// An append's outcome is not known yet.
    Journal = 1,
    /// Whether this pod is still a member is not known.
    Registry = 2,
}

impl AdmissionController {
    pub(crate) fn new(limit: usize, suspicion_timeout: Option<Duration>) -> Self {
        Self { limit, suspicion_timeout, ..Self::default() }
    }

    /// Whether a request may come in, for whatever pod it is.
    pub(crate) fn admit(self: &Arc<Self>) -> Result<Permit, Shed> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(shed("draining", Duration::from_secs(1)));
        }
        if self.away.load(Ordering::Relaxed) & Away::Registry as u8 != 0 {
            return Err(shed("registry_away", Duration::from_secs(1)));
        }
        let permit = Permit { admission: self.clone(), guard: None };
        if self.in_flight.fetch_add(1, Ordering::Relaxed) >= self.limit {
            drop(permit);
            return Err(shed("overload", Duration::from_millis(250)));
        }
        Ok(permit)
    }

    /// Whether this pod can take a change of what it owns. The engine's own steps finish what was taken before.
    pub(crate) fn admit_change(&self, caller: Caller) -> Result<(), Shed> {
        if caller == Caller::Engine {
            return Ok(());
        }
        if self.congested.load(Ordering::Relaxed) {
            return Err(shed("backlog", Duration::from_millis(500)));
        }
        let pressure = self.pressure.load(Ordering::Relaxed);
        if pressure >= Pressure::All as u8 {
            return Err(shed("memory", Duration::from_secs(1)));
        }
        if pressure >= Pressure::Guests as u8 && caller == Caller::Guest {
            return Err(shed("memory_guests", Duration::from_secs(1)));
        }
        if self.away.load(Ordering::Relaxed) & Away::Journal as u8 != 0 {
            return Err(shed("journal_away", Duration::from_secs(1)));
        }
        Ok(())
    }

    /// For the steps of work that was admitted before: they are counted, never shed.
    pub(crate) fn admit_step(self: &Arc<Self>) -> Permit {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Permit { admission: self.clone(), guard: None }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Whether this process stops.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(crate) fn set_congested(&self, congested: bool) {
        self.congested.store(congested, Ordering::Relaxed);
    }

    pub(crate) fn set_pressure(&self, pressure: Pressure) {
        let before = self.pressure.swap(pressure as u8, Ordering::Relaxed);
        if before < pressure as u8 {
            tracing::warn!(?pressure, "what waits for the tables takes too much memory");
        }
    }

    pub(crate) fn set_away(&self, what: Away, away: bool) {
        let bit = what as u8;
        let before = if away {
            self.away.fetch_or(bit, Ordering::Relaxed)
        } else {
            self.away.fetch_and(!bit, Ordering::Relaxed)
        };
        if (before & bit != 0) != away {
            tracing::warn!(?what, away, "changes are refused while something is away");
        }
    }

    /// From now on changes are refused, until the process is started again.
    pub(crate) fn fail_stop(&self, why: &str) {
        let mut read_only = self.read_only.write();
        if read_only.is_none() {
            let next = self.after_fail_stop();
            tracing::error!(
                reason = why,
                "fail-stop: changes of carts and stock, and checkouts, are refused with 503 from now on; {next}"
            );
            *read_only = Some(why.to_owned());
            self.failed.notify_waiters();
        }
    }

    /// For operators.
    fn after_fail_stop(&self) -> String {
        match self.suspicion_timeout {
            // A restart would meet the same fault.
            None => "reads go on; mend the cause, then restart this process".to_owned(),
            Some(timeout) => format!(
                "this pod hands over the shards that it still can and exits with an error; the other pods take over what is \
                 left within about {} s of its exit; start it again",
                timeout.as_secs_f32().ceil()
            ),
        }
    }

    pub fn read_only(&self) -> Option<String> {
        self.read_only.read().clone()
    }

    /// Returns once nothing can be changed any more.
    pub(crate) async fn failed(&self) {
        let failed = self.failed.notified();
        if self.read_only().is_none() {
            failed.await;
        }
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

/// One admitted request; gives its place back when it is answered.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<AdmissionController>,
    /// Keeps the shard here until the answer is durable.
    guard: Option<ShardGuard>,
}

impl Permit {
    pub(crate) fn with_guard(mut self, guard: ShardGuard) -> Self {
        self.guard = Some(guard);
        self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_requests_are_admitted_as_the_limit_says_and_each_answer_makes_room() {
        let admission = Arc::new(AdmissionController::new(2, None));
        let first = admission.admit().unwrap();
        let _second = admission.admit().unwrap();
        assert_eq!(admission.admit().unwrap_err().reason, "overload");
        drop(first);
        assert!(admission.admit().is_ok());
        assert_eq!(admission.in_flight(), 1);
    }

    #[test]
    fn while_congested_no_change_is_taken_and_while_draining_nothing_is_admitted() {
        let admission = Arc::new(AdmissionController::new(2, None));
        admission.set_congested(true);
        // It may be for another pod.
        assert!(admission.admit().is_ok());
        assert_eq!(admission.admit_change(Caller::Guest).unwrap_err().reason, "backlog");
        assert!(admission.admit_change(Caller::Engine).is_ok());
        admission.set_congested(false);
        assert!(admission.admit_change(Caller::Guest).is_ok());
        admission.close();
        assert_eq!(admission.admit().unwrap_err().reason, "draining");
    }

    #[test]
    fn without_its_journal_a_pod_takes_no_change_and_without_the_registry_it_admits_nothing() {
        let admission = Arc::new(AdmissionController::new(2, None));
        admission.set_away(Away::Journal, true);
        assert!(admission.admit().is_ok());
        assert_eq!(admission.admit_change(Caller::Service).unwrap_err().reason, "journal_away");
        admission.set_away(Away::Registry, true);
        assert_eq!(admission.admit().unwrap_err().reason, "registry_away");
    }

    #[test]
    fn under_pressure_guests_are_refused_first_and_then_everybody() {
        let admission = Arc::new(AdmissionController::new(2, None));
        admission.set_pressure(Pressure::Guests);
        assert_eq!(admission.admit_change(Caller::Guest).unwrap_err().reason, "memory_guests");
        assert!(admission.admit_change(Caller::Service).is_ok());
        admission.set_pressure(Pressure::All);
        assert_eq!(admission.admit_change(Caller::Service).unwrap_err().reason, "memory");
        admission.set_pressure(Pressure::Normal);
        assert!(admission.admit_change(Caller::Guest).is_ok());
    }
}
