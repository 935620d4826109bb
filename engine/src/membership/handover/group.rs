//! Which shards are handed over together. Each group costs its shards' flush, and one transaction of the registry, so a few
//! large groups move a pod's shards sooner than many small ones. Whoever comes for one of a group's shards waits for all of
//! it, so it has only as much in it as makes nobody wait longer.

use crate::limits::{
    ENTITIES_HANDED_OVER_AT_ONCE, QUIET_SHARDS_HANDED_OVER_AT_ONCE, SHARDS_HANDED_OVER_AT_ONCE,
};
use smartcart_domain::shard::ShardId;

/// What a shard's handover waits for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    /// Somebody is inside, and must finish first.
    pub(super) busy: bool,
    /// In memory: perhaps to be written, and to be loaded again by the new owner.
    pub(super) entities: usize,
}

/// Takes the next group from those that are left. Nothing is left when it is empty.
pub(super) fn next_group(left: &mut Vec<ShardId>, load: impl Fn(ShardId) -> Load) -> Vec<ShardId> {
    let mut group = Vec::new();
    let mut room = ENTITIES_HANDED_OVER_AT_ONCE;
    left.retain(|shard| {
        if group.len() == QUIET_SHARDS_HANDED_OVER_AT_ONCE {
            return true;
        }
        let Load { busy, entities } = load(*shard);
        let fits = !busy && entities <= room;
        if fits {
            group.push(*shard);
            room -= entities;
        }
        !fits
    });
    // Whatever is in them, a few shards always go.
    let few = SHARDS_HANDED_OVER_AT_ONCE.saturating_sub(group.len()).min(left.len());
    group.extend(left.drain(..few));
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(load: impl Fn(ShardId) -> Load) -> Vec<usize> {
        let all: Vec<ShardId> = (0..512).map(ShardId).collect();
        let (mut left, mut seen) = (all.clone(), Vec::new());
        let mut sizes = Vec::new();
        loop {
            let group = next_group(&mut left, &load);
            if group.is_empty() {
                break;
            }
            sizes.push(group.len());
            seen.extend(group);
        }
        seen.sort_unstable();
        assert_eq!(seen, all, "each shard goes once");
        sizes
    }

    #[test]
    fn empty_shards_go_in_large_groups() {
        assert_eq!(sizes(|_| Load { busy: false, entities: 0 }), [128; 4]);
    }

    #[test]
    fn a_group_has_no_more_entities_than_one_slice_of_a_flush() {
        let sizes = sizes(|_| Load { busy: false, entities: 20 });
        assert!(sizes.iter().all(|size| *size * 20 <= ENTITIES_HANDED_OVER_AT_ONCE), "{sizes:?}");
        assert_eq!(sizes.len(), 512_usize.div_ceil(ENTITIES_HANDED_OVER_AT_ONCE / 20));
    }

    #[test]
    fn busy_and_crowded_shards_go_by_a_few() {
        assert_eq!(sizes(|_| Load { busy: true, entities: 0 }), [SHARDS_HANDED_OVER_AT_ONCE; 64]);
        assert_eq!(sizes(|_| Load { busy: false, entities: 10_000 }), [SHARDS_HANDED_OVER_AT_ONCE; 64]);
    }

    #[test]
    fn those_that_make_nobody_wait_go_first() {
        let mut left: Vec<ShardId> = (0..512).map(ShardId).collect();
        let first = next_group(&mut left, |shard| Load { busy: shard.0 < 400, entities: 1 });
        assert_eq!(first, (400..512).map(ShardId).collect::<Vec<_>>());
    }
}
