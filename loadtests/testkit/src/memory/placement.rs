use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use smartcart_domain::id::IncarnationId;
use smartcart_engine::journal::JournalPlacement;

use super::{
    database::{Database, Fenced},
    faults::{Away, Faults, JournalFault},
};

/// What makes a journal in memory one that can do without the registry, as one in Redis can.
#[derive(Debug)]
pub struct MemoryPlacement {
    database: Database,
    /// The journal's own line.
    line: Arc<Faults<JournalFault>>,
    retained: AtomicU64,
}

impl MemoryPlacement {
    /// Of the journal whose line this is.
    pub fn new(database: &Database, line: &Arc<Faults<JournalFault>>) -> Self {
        Self { database: database.clone(), line: line.clone(), retained: AtomicU64::new(0) }
    }

    /// It has copies of so many bytes from now on.
    pub fn retain(&self, bytes: u64) {
        self.retained.store(bytes, Ordering::SeqCst);
    }
}

#[async_trait]
impl JournalPlacement for MemoryPlacement {
    fn joined(&self) {}

    async fn confirms_ownership(&self, incarnation: IncarnationId) -> bool {
        let Ok(fate) = self.line.passing().await.map_err(|Away| ()) else { return false };
        let open = self.database.lock().fence(incarnation).map_err(|Fenced| ());
        self.line.answer(&fate, open.is_ok()).await
    }

    fn retained_bytes(&self) -> u64 {
        self.retained.load(Ordering::SeqCst)
    }

    fn drop_copies(&self) {
        self.retained.store(0, Ordering::SeqCst);
    }

    fn location(&self) -> String {
        "in memory".to_owned()
    }
}
