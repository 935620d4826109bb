//! What lives in this pod's shards: what a handover must finish, write and forget, and what goes on in a new shard.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::{runtime::Handle, task::JoinSet};

use crate::{
    admission::AdmissionController, backoff::Backoff, checkout::coordinator::Coordinator,
    commit::write_behind::WriteBehind, directories::Directories, directory::supervisor::Supervisors,
    store::StoreError,
};
use smartcart_domain::shard::ShardId;

#[async_trait]
pub(crate) trait ShardContents: Send + Sync + 'static {
    /// The shards go to another pod: what is under way in them stops where it is.
    fn abandon(&self, shards: &[ShardId]);

    /// The tables get most of what the shards have in the journal, while they change still.
    async fn flush_ahead(&self, shards: &[ShardId]) -> Result<(), StoreError>;

    /// The tables get all that the shards have in the journal.
    async fn flush(&self, shards: &[ShardId]) -> Result<(), StoreError>;

    /// Nothing of the shard stays in memory.
    async fn clear(&self, shard: ShardId);

    /// Entities of the shard that are in memory.
    fn residents(&self, shard: ShardId) -> usize;

    /// What was under way in shards that are open here goes on.
    fn resume(&self, shards: Vec<ShardId>);
}

/// The engine's own.
pub(crate) struct LiveShards {
    pub(crate) directories: Directories,
    pub(crate) coordinator: Arc<Coordinator>,
    pub(crate) supervisors: Arc<Supervisors>,
    pub(crate) write_behind: Arc<WriteBehind>,
    pub(crate) admission: Arc<AdmissionController>,
    /// Looks up what was under way in shards that are new here, or stay; ends with the engine.
    pub(crate) resuming: Mutex<JoinSet<()>>,
}

#[async_trait]
impl ShardContents for LiveShards {
    fn abandon(&self, shards: &[ShardId]) {
        self.coordinator.abandon(shards);
    }

    async fn flush_ahead(&self, shards: &[ShardId]) -> Result<(), StoreError> {
        self.write_behind.flush_ahead(shards).await
    }

    async fn flush(&self, shards: &[ShardId]) -> Result<(), StoreError> {
        self.write_behind.flush_shards(shards).await
    }

    async fn clear(&self, shard: ShardId) {
        self.directories.clear(shard).await;
        self.supervisors.stop(shard);
    }

    fn residents(&self, shard: ShardId) -> usize {
        self.directories.residents_of(shard)
    }

    fn resume(&self, shards: Vec<ShardId>) {
        // A handover may be dropped after its runtime has ended: nothing goes on then.
        let Ok(runtime) = Handle::try_current() else { return };
        let (coordinator, admission) = (self.coordinator.clone(), self.admission.clone());
        let mut resuming = self.resuming.lock();
        while resuming.try_join_next().is_some() {}
        let look_up = async move {
            let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
            // An engine that ends leaves them to the next one.
            while !admission.is_closed() && admission.read_only().is_none() {
                match coordinator.resume_unfinished(Some(&shards)).await {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(%error, "checkouts in new shards cannot be looked up; retrying");
                    }
                }
                backoff.wait().await;
            }
        };
        resuming.spawn_on(look_up, &runtime);
    }
}
