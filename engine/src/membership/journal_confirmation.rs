//! Without the registry, carts and holds go on while the journal itself can say that nobody has declared this pod dead:
//! whoever takes its shards has sealed it first.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::parts::FleetParts;
use crate::{
    admission::{AdmissionController, Away},
    journal::JournalPlacement,
    limits::{READS_WITHOUT_ASKING, READS_WITHOUT_CONFIRMATION},
    ownership::shard_map::ShardMap,
};
use smartcart_domain::id::IncarnationId;

pub(crate) struct JournalConfirmation {
    me: IncarnationId,
    heartbeat_interval: Duration,
    placement: Option<Arc<dyn JournalPlacement>>,
    shards: Arc<ShardMap>,
    admission: Arc<AdmissionController>,
    /// The registry does not answer, and the journal says that it can do without.
    confirms: AtomicBool,
}

impl JournalConfirmation {
    pub(crate) fn new(parts: &FleetParts) -> Self {
        Self {
            me: parts.me.incarnation,
            heartbeat_interval: parts.config.heartbeat_interval,
            placement: parts.placement.clone(),
            shards: parts.shards.clone(),
            admission: parts.admission.clone(),
            confirms: AtomicBool::new(false),
        }
    }

    pub(crate) fn confirms(&self) -> bool {
        self.confirms.load(Ordering::SeqCst)
    }

    /// Asks the journal while the registry is silent, until this incarnation is over.
    pub(crate) async fn run(self: Arc<Self>) {
        while self.admission.read_only().is_none() {
            tokio::time::sleep(self.heartbeat_interval).await;
            if self.shards.confirmation.age() <= self.heartbeat_interval * 2 {
                self.confirms.store(false, Ordering::SeqCst);
                continue;
            }
            let asked = Instant::now();
            let confirms = match &self.placement {
                Some(placement) => placement.confirms_ownership(self.me).await,
                None => false,
            };
            let earlier = READS_WITHOUT_CONFIRMATION - READS_WITHOUT_ASKING;
            if confirms && let Some(confirmed) = asked.checked_sub(earlier) {
                self.shards.confirmation.for_readers(confirmed);
            }
            self.confirms.store(confirms, Ordering::SeqCst);
            let unconfirmed = self.shards.confirmation.age() > READS_WITHOUT_CONFIRMATION;
            self.admission.set_away(Away::Registry, unconfirmed && !confirms);
        }
    }
}
