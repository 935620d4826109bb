//! The write-behind: brings the tables after the journal, each entity once a flush. A checkout's rows go ahead of their
//! turn, since it is answered only when the tables have its order.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use metrics::{counter, gauge, histogram};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot, watch},
    task::JoinHandle,
    time::Instant,
};

use super::dirty_set::{DirtySet, Flush};
use crate::store::{IndexedColumns, Row, TableBatch};
use crate::{
    admission::{AdmissionController, Pressure},
    backoff::Backoff,
    clock::ShopClock,
    guarded::spawn_guarded,
    journal::{Journal, JournalPlacement},
    limits::{ALL_REFUSED_AT, COPIES_DROPPED_AT, GUESTS_REFUSED_AT},
    store::{Store, StoreError},
    trouble::Part,
};
use smartcart_domain::{
    change::EntityKey,
    entry::{Entry, Watermark},
    snapshot::Snapshot,
};
use smartcart_domain::{failure::Failure, id::IncarnationId, orders::Order, shard::ShardId};

/// Tables that do not answer are asked again at least this often.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// So many rows take about as long as one: what counts is the transaction.
const FEW_ROWS: usize = 64;
/// How often shop time is written when nothing else is.
const PERSIST_SHOP_TIME: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
pub struct WriteBehindConfig {
    /// The tables are brought up to date this often.
    pub interval: Duration,
    /// Rows of one transaction: small, so that a checkout's rows do not wait long.
    pub slice: usize,
    /// Entities that may wait; beyond it new work is shed until half of them are written.
    pub backlog: usize,
    /// Bytes that may wait for the tables, with what the journal keeps in memory meanwhile. At 50 % it keeps nothing more, at
    /// 70 % guests' changes are refused, at 80 % all.
    pub memory: u64,
}

impl Default for WriteBehindConfig {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), slice: 512, backlog: 500_000, memory: 512 << 20 }
    }
}

/// How far the tables are behind.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Lag {
    /// Journal entries that the tables have not got.
    pub entries: u64,
    /// Entities that wait.
    pub entities: usize,
    /// Age of the oldest of them.
    pub seconds: u64,
    /// What waits takes so much memory, about.
    pub bytes: u64,
    /// The tables have refused to answer, and not answered since.
    pub tables_away: bool,
}

#[derive(Default)]
struct Urgent {
    entities: HashSet<EntityKey>,
    waiters: Vec<(EntityKey, oneshot::Sender<Option<Arc<Order>>>)>,
    /// Who hands shards over.
    shard_waiters: Vec<oneshot::Sender<()>>,
    /// Nothing is written any more.
    closed: bool,
}

/// Held by the worker. If that ends in any other way than by `stop`, nobody waits for it any more.
struct WorkerGuard<'a>(&'a WriteBehind);

impl Drop for WorkerGuard<'_> {
    fn drop(&mut self) {
        if self.0.stopping.load(Ordering::Acquire) && !std::thread::panicking() {
            return;
        }
        self.0
            .admission
            .fail_stop("the write-behind has ended: the journal keeps what the tables have not got");
        self.0.close();
    }
}

/// Why the tables take nothing more of this incarnation. The journal keeps what they have not got.
#[derive(Debug)]
enum Ended {
    /// It was declared dead: whoever took over writes what is left.
    Fenced,
    /// The tables cannot be written any more.
    Unwritable,
}

pub(crate) struct WriteBehind {
    config: WriteBehindConfig,
    journal: Arc<dyn Journal>,
    placement: Option<Arc<dyn JournalPlacement>>,
    store: Arc<dyn Store>,
    admission: Arc<AdmissionController>,
    waiting: Mutex<DirtySet>,
    clock: ShopClock,
    urgent: Mutex<Urgent>,
    /// Wakes the worker before its time.
    wake_worker: Notify,
    /// How far the journal may be trimmed.
    written: watch::Sender<Vec<Watermark>>,
    caught_up: Mutex<Instant>,
    shop_time_persisted: Mutex<Instant>,
    stopping: AtomicBool,
    tables_away: watch::Sender<bool>,
}

impl WriteBehind {
    pub(crate) fn new(
        config: WriteBehindConfig,
        journal: Arc<dyn Journal>,
        placement: Option<Arc<dyn JournalPlacement>>,
        store: Arc<dyn Store>,
        admission: Arc<AdmissionController>,
        incarnation: IncarnationId,
        clock: ShopClock,
    ) -> Self {
        Self {
            config,
            journal,
            placement,
            store,
            admission,
            waiting: Mutex::new(DirtySet::new(incarnation, clock.now())),
            clock,
            urgent: Mutex::default(),
            wake_worker: Notify::new(),
            written: watch::Sender::default(),
            caught_up: Mutex::new(Instant::now()),
            shop_time_persisted: Mutex::new(Instant::now()),
            stopping: AtomicBool::new(false),
            tables_away: watch::Sender::new(false),
        }
    }

    /// An entry is durable: its rows wait for the tables from now on.
    pub(crate) fn take(&self, entry: Entry, rows: Vec<(IndexedColumns, Option<Snapshot>)>) {
        let mut waiting = self.waiting.lock();
        waiting.take(entry, rows);
        if waiting.len() > self.config.backlog {
            self.admission.set_congested(true);
            self.wake_worker.notify_one();
        }
        let bytes = self.bytes(&waiting);
        drop(waiting);
        self.update_pressure(bytes);
    }

    fn bytes(&self, waiting: &DirtySet) -> u64 {
        waiting.bytes() as u64 + self.placement.as_ref().map_or(0, |placement| placement.retained_bytes())
    }

    fn update_pressure(&self, bytes: u64) {
        let percent = bytes.saturating_mul(100) / self.config.memory;
        if let (COPIES_DROPPED_AT.., Some(placement)) = (percent, &self.placement) {
            placement.drop_copies();
        }
        self.admission.set_pressure(match percent {
            ALL_REFUSED_AT.. => Pressure::All,
            GUESTS_REFUSED_AT.. => Pressure::Guests,
            _ => Pressure::Normal,
        });
    }

    /// Whether the tables do not answer.
    pub(crate) fn tables_away(&self) -> bool {
        *self.tables_away.borrow()
    }

    /// Returns when the tables do not answer.
    pub(crate) async fn until_tables_away(&self) {
        let mut away = self.tables_away.subscribe();
        // The sender lives as long as we do.
        drop(away.wait_for(|away| *away).await);
    }

    pub(crate) fn has(&self, entity: &EntityKey) -> bool {
        self.waiting.lock().has(entity)
    }

    pub(crate) fn waiting(&self, entity: &EntityKey) -> Vec<Arc<Row>> {
        self.waiting.lock().of(entity)
    }

    /// Waits until the tables have all that an entity has in the journal now, and the orders with it. Answers a cart's
    /// order, when it was among them.
    pub(crate) async fn flush_entity(&self, entity: EntityKey) -> Result<Option<Arc<Order>>, StoreError> {
        let (done, written) = oneshot::channel();
        {
            let mut urgent = self.urgent.lock();
            if urgent.closed {
                return Err(Failure::fenced().into());
            }
            urgent.entities.insert(entity.clone());
            urgent.waiters.push((entity, done));
        }
        self.wake_worker.notify_one();
        written.await.map_err(|_| Failure::fenced().into())
    }

    /// Waits until the tables have all that these shards have in the journal now. Nobody changes them meanwhile.
    pub(crate) async fn flush_shards(&self, shards: &[ShardId]) -> Result<(), StoreError> {
        self.flush_more_than(0, shards).await
    }

    /// The same while they still change, so that less is left to write when nobody can change them.
    pub(crate) async fn flush_ahead(&self, shards: &[ShardId]) -> Result<(), StoreError> {
        self.flush_more_than(FEW_ROWS, shards).await
    }

    /// Nothing is written, and nobody waits for the worker, when no more than `few` rows of these shards wait.
    async fn flush_more_than(&self, few: usize, shards: &[ShardId]) -> Result<(), StoreError> {
        let entities = self.waiting.lock().in_shards(shards);
        let (done, written) = oneshot::channel();
        {
            let mut urgent = self.urgent.lock();
            if urgent.closed {
                return Err(Failure::fenced().into());
            }
            if entities.len() <= few {
                return Ok(());
            }
            urgent.entities.extend(entities);
            urgent.shard_waiters.push(done);
        }
        self.wake_worker.notify_one();
        written.await.map_err(|_| Failure::fenced().into())
    }

    pub(crate) fn lag(&self) -> Lag {
        let waiting = self.waiting.lock();
        let seconds = if waiting.is_empty() { 0 } else { self.caught_up.lock().elapsed().as_secs() };
        Lag {
            entries: waiting.entries,
            entities: waiting.len(),
            seconds,
            bytes: self.bytes(&waiting),
            tables_away: self.tables_away(),
        }
    }

    /// The worker, until `stop`.
    pub(crate) fn start(self: &Arc<Self>) -> JoinHandle<()> {
        let this = self.clone();
        tokio::spawn(async move {
            let _ends = WorkerGuard(&this);
            let trimming = spawn_guarded(
                "the trimming of the journal",
                &this.admission,
                this.clone().trim_what_is_written(),
            );
            let mut next = Instant::now() + this.config.interval;
            while !this.stopping.load(Ordering::Acquire) {
                let _time_is_up = tokio::time::timeout_at(next, this.wake_worker.notified()).await;
                if this.turn(&mut next).await.is_err() {
                    this.close();
                    break;
                }
            }
            trimming.abort();
        })
    }

    /// Whoever waits hears that nothing more is written.
    fn close(&self) {
        let waiting =
            std::mem::replace(&mut *self.urgent.lock(), Urgent { closed: true, ..Urgent::default() });
        drop(waiting);
    }

    async fn turn(&self, next: &mut Instant) -> Result<(), Ended> {
        self.write_urgent().await?;
        // What was trimmed since has left memory.
        let bytes = self.bytes(&self.waiting.lock());
        self.update_pressure(bytes);
        let congested = self.waiting.lock().len() > self.config.backlog / 2;
        if Instant::now() >= *next || congested {
            self.flush().await?;
            *next = Instant::now() + self.config.interval;
        }
        Ok(())
    }

    /// Ends the worker, never in the middle of a flush, and writes what is left.
    pub(crate) async fn stop(&self, worker: JoinHandle<()>) {
        self.finish(worker).await;
        self.close();
    }

    async fn finish(&self, worker: JoinHandle<()>) {
        self.stopping.store(true, Ordering::Release);
        self.wake_worker.notify_one();
        if let Err(error) = worker.await {
            tracing::error!(%error, "the write-behind had failed; the journal keeps what the tables have not got");
            return;
        }
        let written = match self.write_urgent().await {
            Ok(()) => self.flush().await,
            fenced => fenced,
        };
        if let Err(why) = written {
            tracing::warn!(?why, "the journal keeps what the tables have not got");
            return;
        }
        let watermarks = self.written.borrow().clone();
        self.trim(watermarks).await;
    }

    /// Writes everything that has been gathered.
    async fn flush(&self) -> Result<(), Ended> {
        let began = Instant::now();
        let flush = {
            let mut waiting = self.waiting.lock();
            (!waiting.is_empty()).then(|| waiting.begin())
        };
        match flush {
            Some(flush) => self.write_flush(&flush, began).await,
            None => self.persist_shop_time(began).await,
        }
    }

    /// Nothing to write: shop time alone is made durable now and then, so that holds do not live longer over a restart.
    async fn persist_shop_time(&self, now: Instant) -> Result<(), Ended> {
        *self.caught_up.lock() = now;
        if now.duration_since(*self.shop_time_persisted.lock()) >= PERSIST_SHOP_TIME {
            *self.shop_time_persisted.lock() = now;
            self.write(&TableBatch { shop: self.clock.now(), ..TableBatch::default() }).await?;
        }
        Ok(())
    }

    async fn write_flush(&self, flush: &Flush, began: Instant) -> Result<(), Ended> {
        let mut rows: Vec<Arc<Row>> = flush.rows.values().cloned().collect();
        // Rows that lie together are written together: a page that several of them share is written once.
        rows.sort_unstable_by_key(|row| row.place());
        let mut slices = rows.chunks(self.config.slice).peekable();
        let mut orders = flush.orders.clone();
        loop {
            let rows = slices.next().unwrap_or_default().to_vec();
            let last = slices.peek().is_none();
            let watermarks = if last { flush.watermarks.clone() } else { Vec::new() };
            self.write(&TableBatch {
                rows,
                orders: std::mem::take(&mut orders),
                watermarks,
                shop: flush.shop,
            })
            .await?;
            if last {
                break;
            }
            self.write_urgent().await?;
        }
        let (len, bytes) = {
            let mut waiting = self.waiting.lock();
            waiting.end(flush);
            (waiting.len(), self.bytes(&waiting))
        };
        self.update_pressure(bytes);
        if len <= self.config.backlog / 2 {
            self.admission.set_congested(false);
        }
        *self.caught_up.lock() = began;
        self.written.send_replace(flush.watermarks.clone());
        self.measure(flush, began);
        Ok(())
    }

    fn measure(&self, flush: &Flush, began: Instant) {
        histogram!("smartcart_flush_duration_seconds").record(began.elapsed().as_secs_f64());
        counter!("smartcart_flush_rows_total").increment(flush.rows.len() as u64);
        self.measure_lag();
    }

    fn measure_lag(&self) {
        let lag = self.lag();
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        let set = |name: &'static str, value: u64| gauge!(name).set(value as f64);
        set("smartcart_write_behind_lag_entries", lag.entries);
        set("smartcart_write_behind_lag_seconds", lag.seconds);
        set("smartcart_write_behind_bytes", lag.bytes);
    }

    async fn write_urgent(&self) -> Result<(), Ended> {
        let Urgent { entities, waiters, shard_waiters, closed } = std::mem::take(&mut *self.urgent.lock());
        if closed {
            return Err(Ended::Fenced);
        }
        if waiters.is_empty() && shard_waiters.is_empty() {
            return Ok(());
        }
        let flush = self.waiting.lock().begin_urgent(&entities);
        let TableBatch { rows, orders, .. } = &flush.batch;
        if !rows.is_empty() || !orders.is_empty() {
            counter!("smartcart_flush_rows_total").increment(rows.len() as u64);
            self.write(&flush.batch).await?;
            self.waiting.lock().end_urgent(&flush);
        }
        let orders: HashMap<EntityKey, &Arc<Order>> =
            orders.iter().map(|order| (EntityKey::Cart(order.cart), order)).collect();
        for (entity, waiter) in waiters {
            // A checkout that waits no more finds its order at its next try.
            let _gone = waiter.send(orders.get(&entity).map(|order| Arc::clone(order)));
        }
        for waiter in shard_waiters {
            let _gone = waiter.send(());
        }
        Ok(())
    }

    /// Tries until the tables have it: the journal keeps it safe meanwhile, and admission bounds what can gather.
    async fn write(&self, batch: &TableBatch) -> Result<(), Ended> {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        while let Err(error) = self.store.flush(batch).await {
            counter!("smartcart_flush_failures_total").increment(1);
            self.measure_lag();
            if let StoreError::Failed(failure) = &error
                && failure.is_fenced()
            {
                self.admission.fail_stop(&failure.reason);
                return Err(Ended::Fenced);
            }
            if let StoreError::Unwritable(_) = &error {
                self.admission.fail_stop(&error.to_string());
                return Err(Ended::Unwritable);
            }
            tracing::error!(%error, rows = batch.rows.len(), "the tables do not take a flush; trying again");
            self.admission.troubles.set(Part::Tables, &error.to_string());
            let unanswered = matches!(error, StoreError::Failed(_));
            self.tables_away.send_if_modified(|away| std::mem::replace(away, unanswered) != unanswered);
            if let StoreError::Conflict(_) | StoreError::Corrupt(_) = error {
                self.admission.fail_stop(&format!("the tables refuse a flush: {error}"));
            }
            backoff.wait().await;
        }
        self.tables_away.send_if_modified(|away| std::mem::replace(away, false));
        self.admission.troubles.clear(Part::Tables);
        Ok(())
    }

    /// Trims the journal beside the worker: no checkout waits for it.
    async fn trim_what_is_written(self: Arc<Self>) {
        let mut written = self.written.subscribe();
        while written.changed().await.is_ok() {
            let watermarks = written.borrow_and_update().clone();
            self.trim(watermarks).await;
        }
    }

    async fn trim(&self, watermarks: Vec<Watermark>) {
        for Watermark { incarnation, lane, sequence } in watermarks {
            if let Err(error) = self.journal.trim(incarnation, lane, sequence).await {
                tracing::warn!(%error, "the journal could not be trimmed; it grows until it can");
            }
        }
    }
}
