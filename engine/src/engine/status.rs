//! What an operator sees of an engine.

use super::Engine;
use crate::{
    commit::Lag,
    directory::{HotKey, ShardResidents},
    membership::{fleet_member::FleetMember, status::MemberStatus},
};
use smartcart_domain::{limits::SHARDS, shard::ShardId};

/// What an operator asks first.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Status {
    pub incarnation: String,
    pub store: &'static str,
    /// Where accepted changes become durable.
    pub journal: String,
    /// Why changes are refused, when they are.
    pub read_only: Option<String>,
    /// What does not work at the moment, and is tried again until it does.
    pub trouble: Option<String>,
    pub requests_in_flight: usize,
    pub checkouts_under_way: usize,
    pub tables_behind: Lag,
    pub products: usize,
    pub shards_owned: usize,
    pub recovered_entries: u64,
    /// This pod's name, in a fleet.
    pub pod: Option<String>,
    pub members: Vec<MemberStatus>,
}

/// One shard, and who lives in it on this pod.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ShardStatus {
    pub shard: u16,
    pub epoch: u64,
    /// The pod that has it; nothing in a shop of one process.
    pub owner: Option<String>,
    pub carts: ShardResidents,
    pub stocks: ShardResidents,
}

impl Engine {
    /// Why requests should not come here. In a fleet the other pods have the same tables, and carts go on without them.
    pub fn not_ready(&self) -> Option<String> {
        let alone = self.member.is_none();
        self.admission.read_only().or_else(|| self.admission.troubles.describe().filter(|_| alone))
    }

    pub fn status(&self) -> Status {
        Status {
            incarnation: self.incarnation.to_string(),
            store: self.store.name(),
            journal: self.placement.as_ref().map_or("beside the tables".to_owned(), |it| it.location()),
            read_only: self.admission.read_only(),
            trouble: self.admission.troubles.describe(),
            requests_in_flight: self.admission.in_flight(),
            checkouts_under_way: self.coordinator.under_way(),
            tables_behind: self.write_behind.lag(),
            products: self.catalog.load().len(),
            shards_owned: self.routes.shards.owned().len(),
            pod: self.member.as_ref().map(|member| member.pod().to_owned()),
            members: self.member.as_ref().map(FleetMember::member_statuses).unwrap_or_default(),
            recovered_entries: self.recovered.entries,
        }
    }

    pub fn shards(&self) -> Vec<ShardStatus> {
        (0..SHARDS)
            .zip(self.directories.residents())
            .map(|(shard, (carts, stocks))| {
                let id = ShardId(shard);
                let owner = self.member.as_ref().and_then(|member| member.owner_name(id));
                ShardStatus { shard, epoch: self.routes.shards.epoch(id).0, owner, carts, stocks }
            })
            .collect()
    }

    /// The entities that were asked most in the last seconds.
    pub fn hot_keys(&self) -> Vec<HotKey> {
        const MOST: usize = 20;
        self.directories.hot_keys(MOST)
    }
}
