use std::sync::Arc;

use async_trait::async_trait;
use smartcart_domain::{
    entry::{Entry, Lane},
    failure::Failure,
    id::IncarnationId,
};
use smartcart_engine::journal::{AppendError, Journal, JournalError};

use super::{
    bugs::Bug,
    database::{Database, Fenced, State},
    faults::{Away, Faults, JournalFault},
};

const LANES: u16 = 4;
const LOST: &str = "the answer was lost";

/// A journal in the fleet's database, fenced for whoever appends.
#[derive(Debug)]
pub struct MemoryJournal {
    database: Database,
    faults: Arc<Faults<JournalFault>>,
}

impl MemoryJournal {
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone(), faults: Arc::default() }
    }

    pub const fn faults(&self) -> &Arc<Faults<JournalFault>> {
        &self.faults
    }

    /// The way of a call whose effect may be repeated: its faults are the caller's to imagine.
    async fn ask<T>(&self, call: impl FnOnce(&mut State) -> T + Send) -> Result<T, JournalError>
    where
        T: Send,
    {
        let fate = self.faults.read().await.map_err(|Away| unavailable("it is away"))?;
        if fate.fault.is_some() {
            return Err(unavailable("the request was lost"));
        }
        let answer = call(&mut self.database.lock());
        Ok(self.faults.answer(&fate, answer).await)
    }
}

fn unavailable(why: &str) -> JournalError {
    Failure::not_applied(why).into()
}

fn append(state: &mut State, entry: &Entry) -> Result<(), AppendError> {
    if state.fence(entry.incarnation).is_err() {
        return if state.bugs.strikes(Bug::OpenFence) { Ok(()) } else { Err(Failure::fenced().into()) };
    }
    let dropped = state.bugs.strikes(Bug::DroppedAppend);
    let lane = state.lanes.entry((entry.incarnation, entry.lane)).or_default();
    let last = lane.last();
    if entry.sequence == last + 1 {
        let changes = if dropped { Vec::new() } else { entry.changes.clone() };
        lane.entries.insert(entry.sequence, Entry { changes, ..entry.clone() });
        return Ok(());
    }
    match lane.entries.get(&entry.sequence) {
        Some(known) if known == entry => Ok(()),
        Some(_) => Err(AppendError::Conflict { sequence: entry.sequence }),
        None => Err(AppendError::Gap { expected: last + 1 }),
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, entry: &Entry) -> Result<(), AppendError> {
        let unknown = || AppendError::Failed(Failure::indeterminate(LOST));
        let fate = self.faults.call().await.map_err(|Away| Failure::indeterminate("it is away"))?;
        let answer = match fate.fault {
            None => append(&mut self.database.lock(), entry),
            Some(JournalFault::NotTaken) => Err(Failure::not_applied("the line was busy").into()),
            Some(JournalFault::LoseRequest) => Err(unknown()),
            Some(JournalFault::LoseAnswer) => {
                // A refusal is lost as well.
                let _lost = append(&mut self.database.lock(), entry);
                Err(unknown())
            }
            Some(JournalFault::ArriveLate(after)) => {
                let (database, entry) = (self.database.clone(), entry.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    // Nobody hears what became of it.
                    let _lost = append(&mut database.lock(), &entry);
                });
                Err(unknown())
            }
            Some(JournalFault::Seal) => {
                self.database.lock().declare_dead(entry.incarnation);
                Err(Failure::fenced().into())
            }
            Some(JournalFault::Break) => {
                Err(AppendError::Unwritable(Failure::not_applied("the disk has failed")))
            }
        };
        self.faults.answer(&fate, answer).await
    }

    async fn seal(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        self.ask(|state| state.declare_dead(incarnation)).await.map(drop)
    }

    async fn read(
        &self,
        incarnation: IncarnationId,
        lane: Lane,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        self.ask(|state| {
            let Some(rows) = state.lanes.get(&(incarnation, lane)) else { return Vec::new() };
            rows.entries.range(after + 1..).take(limit).map(|(_, entry)| entry.clone()).collect()
        })
        .await
    }

    async fn trim(&self, incarnation: IncarnationId, lane: Lane, through: u64) -> Result<(), JournalError> {
        self.ask(|state| {
            let Some(rows) = state.lanes.get_mut(&(incarnation, lane)) else { return };
            let kept = rows.entries.split_off(&(through + 1));
            let trimmed = std::mem::replace(&mut rows.entries, kept);
            rows.trimmed = trimmed.last_key_value().map_or(rows.trimmed, |(last, _)| *last);
        })
        .await
    }

    async fn incarnations(&self) -> Result<Vec<(IncarnationId, Vec<(Lane, u64)>)>, JournalError> {
        self.ask(|state| {
            let mut known: Vec<(IncarnationId, Vec<(Lane, u64)>)> = Vec::new();
            for ((incarnation, lane), rows) in &state.lanes {
                if state.fence(*incarnation).is_err() && state.bugs.strikes(Bug::ForgottenJournal) {
                    continue;
                }
                let last = (*lane, rows.last());
                match known.last_mut() {
                    Some((same, lanes)) if same == incarnation => lanes.push(last),
                    _ => known.push((*incarnation, vec![last])),
                }
            }
            known
        })
        .await
    }

    async fn remove(&self, incarnation: IncarnationId) -> Result<(), JournalError> {
        self.ask(|state| match state.fence(incarnation) {
            Ok(()) => Err(unavailable(&format!("journal {incarnation} is not sealed"))),
            Err(Fenced) => {
                state.remove_journal(incarnation);
                Ok(())
            }
        })
        .await?
    }

    fn lanes(&self) -> u16 {
        LANES
    }
}
