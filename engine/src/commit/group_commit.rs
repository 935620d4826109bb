use std::{sync::Arc, time::Duration};

use metrics::{counter, histogram};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::Instant,
};

use super::write_behind::WriteBehind;
use crate::store::IndexedColumns;
use crate::{
    activation::Activation,
    admission::{AdmissionController, Away},
    backoff::Backoff,
    clock::ShopClock,
    guarded::spawn_guarded,
    journal::{AppendError, Journal},
    trouble::Part,
};
use smartcart_domain::{
    change::Change,
    entry::{Entry, Lane},
    snapshot::Snapshot,
};
use smartcart_domain::{
    failure::{Effect, Failure},
    id::IncarnationId,
};

/// Changes of one entry at most: keeps an entry's size, and the time to write it, bounded.
const CHANGES_PER_ENTRY: usize = 4096;
/// An append whose outcome is unknown is asked again after this, and then less and less often.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

type Completion = Box<dyn FnOnce(Result<(), Failure>) + Send>;

/// One change on its way: what becomes durable, what the tables will take, and what happens then.
pub(crate) struct CommitItem {
    pub(crate) change: Change,
    pub(crate) columns: IndexedColumns,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) activation: Arc<Activation>,
    pub(crate) completion: Completion,
}

enum Queued {
    Change(Box<CommitItem>),
    /// Something that must not happen before the changes ahead of it are durable.
    After(Option<Arc<Activation>>, Completion),
}

#[derive(Default)]
struct Queue {
    items: Mutex<Vec<Queued>>,
    arrived: Notify,
}

/// Where the actors of a lane's shards hand in their changes. Never waits.
#[derive(Clone)]
pub(crate) struct LaneHandle(Arc<Queue>);

impl LaneHandle {
    pub(crate) fn submit(&self, item: CommitItem) {
        self.push(Queued::Change(Box::new(item)));
    }

    /// Runs `completion` when the outcome of everything submitted before is known; with an error, when the run of the actor has failed.
    pub(crate) fn after(&self, activation: Arc<Activation>, completion: Completion) {
        self.push(Queued::After(Some(activation), completion));
    }

    /// Waits until the outcome of everything submitted before is known.
    pub(crate) async fn barrier(&self) {
        let (passed, wait) = oneshot::channel();
        self.push(Queued::After(
            None,
            Box::new(move |_| {
                let _gone = passed.send(());
            }),
        ));
        // A lane that has stopped leaves no outcome open.
        let _stopped = wait.await;
    }

    fn push(&self, item: Queued) {
        let mut items = self.0.items.lock();
        items.push(item);
        if items.len() == 1 {
            self.0.arrived.notify_one();
        }
    }
}

/// Starts a committer for each lane of a new journal.
pub(crate) fn start_lanes(
    journal: &Arc<dyn Journal>,
    incarnation: IncarnationId,
    write_behind: &Arc<WriteBehind>,
    admission: &Arc<AdmissionController>,
    clock: &ShopClock,
) -> (Arc<[LaneHandle]>, Vec<JoinHandle<()>>) {
    let (handles, tasks): (Vec<_>, Vec<_>) = (0..journal.lanes().max(1))
        .map(|number| {
            let queue = Arc::new(Queue::default());
            let committer = Committer {
                queue: queue.clone(),
                journal: journal.clone(),
                incarnation,
                lane: Lane(number),
                next: 1,
                write_behind: write_behind.clone(),
                admission: admission.clone(),
                clock: clock.clone(),
            };
            (LaneHandle(queue), spawn_guarded("a lane of the journal", admission, committer.run()))
        })
        .unzip();
    (handles.into(), tasks)
}

struct Committer {
    queue: Arc<Queue>,
    journal: Arc<dyn Journal>,
    incarnation: IncarnationId,
    lane: Lane,
    /// The next entry's sequence.
    next: u64,
    write_behind: Arc<WriteBehind>,
    admission: Arc<AdmissionController>,
    clock: ShopClock,
}

/// An entry's changes apart from what happens to them: the parts travel different ways.
#[derive(Default)]
struct Batch {
    changes: Vec<Change>,
    rows: Vec<(IndexedColumns, Option<Snapshot>)>,
    completions: Vec<(Option<Arc<Activation>>, Completion)>,
}

impl Committer {
    async fn run(mut self) {
        let mut spare = Vec::new();
        loop {
            // Whoever is ready to run now goes first: what they change shares the next append.
            tokio::task::yield_now().await;
            std::mem::swap(&mut *self.queue.items.lock(), &mut spare);
            if spare.is_empty() {
                self.wait().await;
                continue;
            }
            let mut items = spare.drain(..).peekable();
            while items.peek().is_some() {
                let batch = gather(&mut items);
                self.commit(batch).await;
            }
        }
    }

    /// Until something has arrived. A journal that takes nothing is asked meanwhile whether it does again: nobody else may ask,
    /// where a pod that is not ready gets no requests.
    async fn wait(&mut self) {
        let arrived = self.queue.clone();
        if !self.admission.troubles.journal() {
            return arrived.arrived.notified().await;
        }
        if tokio::time::timeout(LONGEST_PAUSE, arrived.arrived.notified()).await.is_err() {
            // It says what it says to everybody.
            let _still = self.append(Vec::new(), Vec::new()).await;
        }
    }

    async fn commit(&mut self, batch: Batch) {
        let Batch { changes, rows, completions } = batch;
        let fate = if changes.is_empty() { Ok(()) } else { self.append(changes, rows).await };
        for (activation, completion) in completions {
            let poisoned = activation.is_some_and(|activation| activation.is_poisoned());
            completion(match &fate {
                Ok(()) if poisoned => Err(Failure::not_applied("an earlier change was not committed")),
                fate => fate.clone(),
            });
        }
    }

    async fn append(
        &mut self,
        changes: Vec<Change>,
        rows: Vec<(IndexedColumns, Option<Snapshot>)>,
    ) -> Result<(), Failure> {
        if let Some(why) = self.admission.read_only() {
            return Err(Failure::not_applied(why));
        }
        let entry = Entry {
            incarnation: self.incarnation,
            lane: self.lane,
            sequence: self.next,
            shop: self.clock.now(),
            changes,
        };
        let began = Instant::now();
        self.append_until_known(&entry).await?;
        self.next += 1;
        histogram!("smartcart_commit_duration_seconds").record(began.elapsed().as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a histogram takes floats")]
        histogram!("smartcart_commit_batch_size").record(entry.changes.len() as f64);
        counter!("smartcart_changes_total").increment(entry.changes.len() as u64);
        self.write_behind.take(entry, rows);
        Ok(())
    }

    /// An unknown outcome is resolved by asking again with the same entry, for as long as it takes; nothing new is
    /// admitted meanwhile.
    async fn append_until_known(&self, entry: &Entry) -> Result<(), Failure> {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut was_unknown = false;
        let known = loop {
            match self.journal.append(entry).await {
                Err(AppendError::Failed(Failure { effect: Effect::Indeterminate, reason })) => {
                    tracing::warn!(
                        lane = self.lane.0,
                        sequence = entry.sequence,
                        reason,
                        "unknown whether an entry is durable; asking again"
                    );
                    counter!("smartcart_commit_unknown_total").increment(1);
                    self.admission.set_away(Away::Journal, true);
                    was_unknown = true;
                }
                // Nothing can have been written after what is unknown: still not taken, and still unknown whether before.
                Err(AppendError::Failed(Failure { effect: Effect::NotApplied, .. })) if was_unknown => {}
                known => break known,
            }
            backoff.wait().await;
        };
        if was_unknown {
            self.admission.set_away(Away::Journal, false);
        }
        let error = match known {
            Ok(()) => {
                self.admission.troubles.clear(Part::Journal);
                return Ok(());
            }
            Err(AppendError::Failed(failure)) if !failure.is_fenced() => {
                self.admission.troubles.set(Part::Journal, &failure.reason);
                return Err(failure);
            }
            Err(error) => error,
        };
        let reason = error.to_string();
        self.admission.fail_stop(&reason);
        let effect = match error {
            // After an unknown outcome the entry may have been written before.
            _ if was_unknown => Effect::Indeterminate,
            AppendError::Failed(_) => Effect::NotApplied,
            AppendError::Unwritable(failure) => failure.effect,
            AppendError::Gap { .. } | AppendError::Conflict { .. } => Effect::Indeterminate,
        };
        Err(Failure { effect, reason })
    }
}

/// The next entry's worth of what was queued. A change of a run that has failed is not committed any more.
fn gather(items: &mut std::iter::Peekable<impl Iterator<Item = Queued>>) -> Batch {
    let mut batch = Batch::default();
    while batch.changes.len() < CHANGES_PER_ENTRY {
        match items.next() {
            Some(Queued::Change(item)) => {
                let CommitItem { change, columns, snapshot, activation, completion } = *item;
                if !activation.is_poisoned() {
                    batch.changes.push(change);
                    batch.rows.push((columns, snapshot));
                    batch.completions.push((None, completion));
                } else {
                    batch.completions.push((Some(activation), completion));
                }
            }
            Some(Queued::After(activation, completion)) => batch.completions.push((activation, completion)),
            None => break,
        }
    }
    batch
}
