//! The tables. Each call is one transaction.

mod audit;
mod catalog;
mod entities;
mod orders;
mod users;

use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;
use smartcart_domain::{
    failure::Failure,
    id::{IncarnationId, Sku},
};
use smartcart_engine::store::{Finding, Store, StoreError};

use super::{
    database::{Database, State},
    faults::{Away, Faults, StoreFault},
    tables::invariant,
};

#[derive(Debug)]
pub struct MemoryStore {
    database: Database,
    /// Whom the flushes are fenced for.
    writer: Option<IncarnationId>,
    faults: Arc<Faults<StoreFault>>,
    /// SKUs whose stock cannot be read.
    unreadable: Mutex<HashSet<Sku>>,
}

impl MemoryStore {
    /// Without a writer it reads, and what it writes behind is refused.
    pub fn new(database: &Database, writer: Option<IncarnationId>) -> Self {
        Self { database: database.clone(), writer, faults: Arc::default(), unreadable: Mutex::default() }
    }

    /// From now on the stock of this SKU can be read, or not.
    pub fn set_readable(&self, sku: &Sku, readable: bool) {
        let mut unreadable = self.unreadable.lock();
        if readable {
            unreadable.remove(sku);
        } else {
            unreadable.insert(sku.clone());
        }
    }

    pub const fn faults(&self) -> &Arc<Faults<StoreFault>> {
        &self.faults
    }

    async fn read<T: Send>(&self, call: impl FnOnce(&State) -> T + Send) -> Result<T, StoreError> {
        let fate = self.faults.read().await.map_err(|Away| refused("it is away"))?;
        if fate.fault.is_some() {
            return Err(refused("the request was lost"));
        }
        let answer = call(&self.database.lock());
        Ok(self.faults.answer(&fate, answer).await)
    }

    async fn write<T: Send>(
        &self,
        call: impl FnOnce(&mut State) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let fate = self.faults.call().await.map_err(|Away| refused("it is away"))?;
        let answer = match fate.fault {
            None => call(&mut self.database.lock()),
            Some(StoreFault::Fail) => Err(refused("the request was lost")),
            Some(StoreFault::LoseAnswer) => {
                // A refusal is lost as well.
                drop(call(&mut self.database.lock()));
                Err(Failure::indeterminate("the answer was lost").into())
            }
            Some(StoreFault::Panic) => panic!("on command"),
            Some(StoreFault::Conflict) => Err(invariant("a conflict on command".to_owned())),
        };
        self.faults.answer(&fate, answer).await
    }
}

fn refused(why: &str) -> StoreError {
    Failure::not_applied(why).into()
}

#[async_trait]
impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn audit(&self) -> Result<Vec<Finding>, StoreError> {
        self.read(audit::audit).await
    }
}
