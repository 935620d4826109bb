//! A journal between the engine and the real one, that does what networks and disks do.

use smartcart_domain::failure::Failure;
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use async_trait::async_trait;
use parking_lot::Mutex;
use smartcart_domain::{
    entry::{Entry, Lane},
    id::IncarnationId,
};
use smartcart_engine::journal::{AppendError, Journal, JournalError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Written, and the answer is lost.
    LoseAnswer,
    /// Not written, and said so.
    NotTaken,
    /// Not written, and nothing ever will be.
    Break,
}

pub(crate) struct FaultyJournal {
    real: Arc<dyn Journal>,
    next: Mutex<Vec<Fault>>,
    /// Appends until the process 'dies'; negative: it lives on.
    left: AtomicI64,
    /// Whether the append at which it dies was still written.
    last_is_written: bool,
}

impl FaultyJournal {
    pub(crate) fn new(real: Arc<dyn Journal>) -> Self {
        Self::dying_after(real, -1, false)
    }

    /// Dies at the append after the next `appends`, before or after that one is written.
    pub(crate) fn dying_after(real: Arc<dyn Journal>, appends: i64, last_is_written: bool) -> Self {
        Self { real, next: Mutex::default(), left: AtomicI64::new(appends), last_is_written }
    }

    pub(crate) fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        self.next.lock().extend(faults);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }
}

#[async_trait]
impl Journal for FaultyJournal {
    async fn append(&self, entry: &Entry) -> Result<(), AppendError> {
        match self.left.load(Ordering::SeqCst) {
            0 => return std::future::pending().await,
            1 => {
                if self.last_is_written {
                    self.real.append(entry).await?;
                }
                self.left.store(0, Ordering::SeqCst);
                return std::future::pending().await;
            }
            left if left > 1 => self.left.store(left - 1, Ordering::SeqCst),
            _ => {}
        }
        let fault = self.next.lock().pop();
        match fault {
            None => self.real.append(entry).await,
            Some(Fault::LoseAnswer) => {
                self.real.append(entry).await?;
                Err(Failure::indeterminate("the answer was lost").into())
            }
            Some(Fault::NotTaken) => Err(Failure::not_applied("the line was busy").into()),
            Some(Fault::Break) => Err(AppendError::Unwritable(Failure::not_applied("the disk has failed"))),
        }
    }

    async fn seal(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        self.real.seal(incarnation).await
    }

    async fn read(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        self.real.read(incarnation, lane, after, limit).await
    }

    async fn trim(&self, incarnation: IncarnationId, lane: Lane, through: u64) -> Result<(), JournalError> {
        self.real.trim(incarnation, lane, through).await
    }

    async fn incarnations(&self) -> Result<Vec<(IncarnationId, Vec<(Lane, u64)>)>, JournalError> {
        self.real.incarnations().await
    }

    async fn remove(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        self.real.remove(incarnation).await
    }

    fn lanes(&self) -> u16 {
        self.real.lanes()
    }
}
