//! The limits of the engine, named, with their units. Those of the rules are in the domain.

use std::time::Duration;

/// Percent of the memory for what waits for the tables: from here on the journal keeps no copies in memory, ...
pub const COPIES_DROPPED_AT: u64 = 50;
/// ... from here on guests' changes are refused, and from there on all.
pub const GUESTS_REFUSED_AT: u64 = 70;
pub const ALL_REFUSED_AT: u64 = 80;
/// Requests that wait for a shard to change hands.
pub const WAITING_FOR_SHARDS: usize = 8192;
/// Readers are served this long after ownership was last confirmed.
pub const READS_WITHOUT_CONFIRMATION: Duration = Duration::from_secs(2);
/// Without the registry, readers are served this long after the journal last said that it is not sealed; whoever seals it
/// waits as long before anybody else serves the shards.
pub const READS_WITHOUT_ASKING: Duration = Duration::from_secs(1);
/// Shards that one pod hands over at once, whatever is in them and whoever is inside.
pub const SHARDS_HANDED_OVER_AT_ONCE: usize = 8;
/// Shards that it hands over at once when nobody is inside, so that their handover waits for nobody, ...
pub const QUIET_SHARDS_HANDED_OVER_AT_ONCE: usize = 128;
/// ... and when they have no more entities in memory than this: one slice of a flush.
pub const ENTITIES_HANDED_OVER_AT_ONCE: usize = 512;
/// A request that has waited this long is not begun any more, unless the configuration says otherwise.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// A handover's first step: the requests inside its shards have this long to finish.
pub const HANDOVER_DRAIN_TIMEOUT: Duration = Duration::from_secs(6);
/// A handover's second step: the tables have this long to take its shards' last changes; and before it begins, this long to
/// take most of them.
pub const HANDOVER_FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// A handover's third step: loads of its entities have this long to end, so that memory can be cleared.
pub const HANDOVER_CLEAR_TIMEOUT: Duration = Duration::from_secs(2);
/// A handover's last step: the registry has this long to say whether it wrote the new owner, before the handover goes on
/// asking alone and others may move shards.
pub const HANDOVER_OUTCOME_TIMEOUT: Duration = Duration::from_secs(5);
/// All steps of one handover; and how long the next handover waits for it to end.
pub const HANDOVER_TIMEOUT: Duration = Duration::from_secs(18);
/// With less time than this for the steps before the registry is asked, no shard is closed: it would only open again.
pub const HANDOVER_LEAST_TIME: Duration = Duration::from_secs(1);
/// One call of the registry, before it is repeated; the longest pause before that.
pub const REGISTRY_CALL_TIMEOUT: Duration = Duration::from_secs(3);
pub const REGISTRY_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Declaring a pod dead waits for what that pod has in flight, so it takes longer than other calls.
pub const DECLARE_DEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// A takeover that makes no progress for this long is given up, so that the next dead pod is looked at, or another pod can
/// try. Longer than any single page, flush or call takes; a backlog as a whole may take as long as it takes.
pub const TAKEOVER_PROGRESS_TIMEOUT: Duration = Duration::from_secs(60);
/// A pod that leaves has this long to hand all its shards over.
pub const DRAIN_PATIENCE: Duration = Duration::from_secs(20);
/// A stop then waits this long for the answers to what was accepted, and as long again for the tables to have it.
pub const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// Pods that a request passes on its way: the one it came to, and one more when the shard has just moved.
pub const MAX_HOPS: u8 = 2;
/// Pods' shop times differ by less than this: a hold is let go of this much after its time in a fleet, so that none
/// ends early when its shard changes hands.
pub const SHOP_TIME_SKEW: Duration = Duration::from_secs(2);

const _: () = assert!(COPIES_DROPPED_AT < GUESTS_REFUSED_AT);
const _: () = assert!(GUESTS_REFUSED_AT < ALL_REFUSED_AT && ALL_REFUSED_AT < 100);
const _: () = assert!(READS_WITHOUT_ASKING.as_millis() < READS_WITHOUT_CONFIRMATION.as_millis());
const _: () = assert!(REQUEST_DEADLINE.as_millis() < HANDOVER_DRAIN_TIMEOUT.as_millis());
const _: () = assert!(
    HANDOVER_DRAIN_TIMEOUT.as_millis()
        + HANDOVER_FLUSH_TIMEOUT.as_millis()
        + HANDOVER_CLEAR_TIMEOUT.as_millis()
        + HANDOVER_OUTCOME_TIMEOUT.as_millis()
        <= HANDOVER_TIMEOUT.as_millis()
);
const _: () = assert!(HANDOVER_TIMEOUT.as_millis() < DRAIN_PATIENCE.as_millis());
const _: () = assert!(
    REGISTRY_CALL_TIMEOUT.as_millis() + REGISTRY_RETRY_PAUSE.as_millis()
        < HANDOVER_OUTCOME_TIMEOUT.as_millis()
);
const _: () = assert!(DECLARE_DEAD_TIMEOUT.as_millis() < TAKEOVER_PROGRESS_TIMEOUT.as_millis());
const _: () = assert!(SHARDS_HANDED_OVER_AT_ONCE <= QUIET_SHARDS_HANDED_OVER_AT_ONCE);
