//! What a member of a fleet is made of; each of its tasks takes from it what it needs.

use std::sync::Arc;

use super::{config::FleetConfig, shard_contents::ShardContents};
use crate::{
    admission::AdmissionController,
    clock::ShopClock,
    journal::{Journal, JournalPlacement},
    ownership::shard_map::ShardMap,
    peers::Peers,
    registry::{Member, Registry},
    store::Store,
};

pub(crate) struct FleetParts {
    pub(crate) me: Member,
    pub(crate) config: FleetConfig,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) shards: Arc<ShardMap>,
    pub(crate) contents: Arc<dyn ShardContents>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) placement: Option<Arc<dyn JournalPlacement>>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) admission: Arc<AdmissionController>,
    pub(crate) clock: ShopClock,
    /// The catalogue's generation that this pod has loaded.
    pub(crate) catalog_generation: u64,
}
