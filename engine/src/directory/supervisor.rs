//! The parent of a shard's actors. When it stops, they stop with it; when one of them fails, the others go on.

use metrics::counter;
use parking_lot::Mutex;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, ActorRuntime, SupervisionEvent};

use smartcart_domain::{limits::SHARDS, shard::ShardId};

struct Supervisor;

impl Actor for Supervisor {
    type Msg = ();
    type State = ShardId;
    type Arguments = ShardId;

    async fn pre_start(&self, _: ActorRef<()>, shard: ShardId) -> Result<ShardId, ActorProcessingErr> {
        Ok(shard)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        shard: &mut ShardId,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(_, error) = event {
            counter!("smartcart_actor_failures_total").increment(1);
            tracing::error!(shard = shard.0, %error, "an entity's actor failed; its next message rebuilds it");
        }
        Ok(())
    }
}

/// One supervisor for each shard in use.
pub(crate) struct Supervisors(Box<[Mutex<Option<ActorCell>>]>);

impl Supervisors {
    pub(crate) fn new() -> Self {
        Self((0..SHARDS).map(|_| Mutex::default()).collect())
    }

    /// The shard's supervisor, started on first use.
    ///
    /// # Panics
    /// Never: an actor without a name always starts.
    pub(crate) fn of(&self, shard: ShardId) -> ActorCell {
        let start = || {
            let (supervisor, _) = ActorRuntime::spawn_instant(None, Supervisor, shard)
                .expect("only a taken name keeps an actor from starting, and this one has none");
            supervisor.get_cell()
        };
        self.0[usize::from(shard.0)].lock().get_or_insert_with(start).clone()
    }

    /// The shard's actors stop.
    pub(crate) fn stop(&self, shard: ShardId) {
        if let Some(supervisor) = self.0[usize::from(shard.0)].lock().take() {
            supervisor.stop(None);
        }
    }

    pub(crate) fn stop_all(&self) {
        for shard in 0..SHARDS {
            self.stop(ShardId(shard));
        }
    }
}
