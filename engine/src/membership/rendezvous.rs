//! Who *should* own a shard: rendezvous hashing over the pods' names, so that a pod that comes or goes moves only its own
//! share, and a pod that restarts gets its own back. A hint: who *does* own it is in the registry.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::registry::{Member, MemberState};
use smartcart_domain::shard::ShardId;

/// The member that should own a shard. Nothing: nobody can.
pub(crate) fn best_owner<'a>(
    shard: ShardId,
    members: impl IntoIterator<Item = &'a Member>,
) -> Option<&'a Member> {
    members.into_iter().filter(|member| member.owns_shards && member.state == MemberState::Live).max_by_key(
        |member| {
            let weight = xxh3_64_with_seed(member.pod.as_bytes(), u64::from(shard.0));
            (weight, member.incarnation)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use smartcart_domain::limits::SHARDS;

    fn owners(members: &[Member]) -> Vec<&str> {
        (0..SHARDS).map(|shard| best_owner(ShardId(shard), members).unwrap().pod.as_str()).collect()
    }

    #[test]
    fn a_pod_that_joins_takes_its_share_and_moves_nothing_else() {
        let three = [Member::live("a", 1), Member::live("b", 2), Member::live("c", 3)];
        let four = [three.to_vec(), vec![Member::live("d", 4)]].concat();
        let (before, after) = (owners(&three), owners(&four));
        assert!(before.iter().zip(&after).all(|(before, after)| before == after || *after == "d"));
        let share = after.iter().filter(|owner| **owner == "d").count();
        assert!((180..332).contains(&share), "a quarter of {SHARDS}, about: {share}");
    }

    #[test]
    fn a_restarted_pod_gets_its_own_back_and_who_leaves_gets_nothing() {
        let before = [Member::live("a", 1), Member::live("b", 2)];
        let after = [Member::live("a", 9), Member::live("b", 2)];
        assert_eq!(owners(&before), owners(&after));
        let leaving = [Member { state: MemberState::Leaving, ..Member::live("a", 1) }, Member::live("b", 2)];
        assert!(owners(&leaving).iter().all(|owner| *owner == "b"));
        assert_eq!(best_owner(ShardId(0), &leaving[..1]), None);
    }
}
