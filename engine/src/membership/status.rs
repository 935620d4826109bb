//! The members of the fleet, for an operator.

use std::collections::HashMap;

use super::fleet_member::FleetMember;
use crate::registry::Member;
use smartcart_domain::{id::IncarnationId, limits::SHARDS, shard::ShardId};

/// A pod, as this one knows it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct MemberStatus {
    pub pod: String,
    pub incarnation: String,
    pub address: String,
    pub state: &'static str,
    pub owns_shards: bool,
    pub shards: usize,
}

impl FleetMember {
    pub(crate) fn pod(&self) -> &str {
        &self.me().pod
    }

    /// The pod that has a shard.
    pub(crate) fn owner_name(&self, shard: ShardId) -> Option<String> {
        if self.shards().serves(shard) {
            return Some(self.me().pod.clone());
        }
        self.shards().owner(shard).map(|member| member.pod.clone())
    }

    pub(crate) fn member_statuses(&self) -> Vec<MemberStatus> {
        let mut counts: HashMap<IncarnationId, usize> = HashMap::new();
        for shard in (0..SHARDS).map(ShardId) {
            let mine = self.shards().serves(shard).then_some(self.me().incarnation);
            let theirs = self.shards().owner(shard).map(|member| member.incarnation);
            if let Some(owner) = mine.or(theirs) {
                *counts.entry(owner).or_default() += 1;
            }
        }
        let status = |member: &Member| MemberStatus {
            pod: member.pod.clone(),
            incarnation: member.incarnation.to_string(),
            address: member.address.clone(),
            state: member.state.as_str(),
            owns_shards: member.owns_shards,
            shards: counts.get(&member.incarnation).copied().unwrap_or_default(),
        };
        self.membership.members().iter().map(status).collect()
    }
}
