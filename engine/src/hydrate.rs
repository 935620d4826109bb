//! An entity comes back into memory: its snapshot, the changes after it, and what the tables have not got yet.

use std::sync::Arc;

use crate::entity::Resident;
use crate::store::{Row, Store, StoreError};
use smartcart_domain::{change::Change, idempotency::IdempotencyWindow, snapshot::Snapshot};

/// An entity put together again.
#[derive(Debug, Clone)]
pub(crate) struct Hydrated<E> {
    pub(crate) entity: E,
    pub(crate) keys: IdempotencyWindow,
    /// Changes since the last snapshot.
    pub(crate) changes_since_snapshot: u32,
}

impl<E: Resident> Hydrated<E> {
    pub(crate) fn absent(id: &E::Id) -> Self {
        Self { entity: E::absent(id), keys: IdempotencyWindow::default(), changes_since_snapshot: 0 }
    }

    fn replace(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let (entity, keys) = E::from_snapshot(snapshot).ok_or_else(|| wrong_kind(snapshot))?;
        *self = Self { entity, keys: keys.iter().cloned().collect(), changes_since_snapshot: 0 };
        Ok(())
    }

    /// A row that waits in a long flush may be older than what an urgent one has brought to the tables since.
    fn replace_older(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let version = self.entity.version();
        let (entity, _) = E::from_snapshot(snapshot).ok_or_else(|| wrong_kind(snapshot))?;
        if entity.version() > version { self.replace(snapshot) } else { Ok(()) }
    }

    /// Goes on by the changes that it has not seen. A gap between them is damage, never skipped.
    pub(crate) fn follow(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            let at = self.entity.version();
            if change.version <= at {
                continue;
            }
            let events = E::events(change).filter(|_| change.version == at + 1);
            let Some(events) = events else {
                let entity = change.entity();
                return Err(StoreError::Corrupt(format!(
                    "{entity} is at version {at} and its next change makes version {}",
                    change.version
                )));
            };
            self.entity.advance(events, change.wall);
            if let Some(key) = &change.key {
                self.keys.remember(key.clone());
            }
            self.changes_since_snapshot += 1;
        }
        Ok(())
    }

    /// The state in the tables, and then that of the rows which wait for them, oldest first. Nothing: it never existed.
    pub(crate) async fn load(
        store: &dyn Store,
        id: &E::Id,
        waiting: &[Arc<Row>],
    ) -> Result<Option<Self>, StoreError> {
        let mut hydrated = Self::absent(id);
        if let Some((snapshot, tail)) = E::fetch(store, id).await? {
            hydrated.replace(&snapshot)?;
            hydrated.follow(&tail)?;
        }
        for row in waiting {
            if let Some(snapshot) = &row.snapshot {
                hydrated.replace_older(snapshot)?;
            }
            hydrated.follow(&row.tail)?;
        }
        Ok((hydrated.entity.version() > 0).then_some(hydrated))
    }
}

fn wrong_kind(snapshot: &Snapshot) -> StoreError {
    StoreError::Corrupt(format!("a snapshot of another kind: {snapshot:?}"))
}
