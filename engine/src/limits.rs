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
/// Shards that one pod hands over at once.
pub const SHARDS_HANDED_OVER_AT_ONCE: usize = 8;
/// A request that has waited this long is not begun any more, unless the configuration says otherwise.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// A handover's steps. The requests inside a shard have this long to finish, ...
pub const HANDOVER_DRAIN_TIMEOUT: Duration = Duration::from_secs(6);
/// ... the tables this long to take the shard's last changes, ...
pub const HANDOVER_FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// ... loads of its entities this long to end, so that memory can be cleared, ...
pub const HANDOVER_CLEAR_TIMEOUT: Duration = Duration::from_secs(2);
/// ... and the registry this long to say whether it wrote the new owner, before the handover goes on asking alone and
/// others may move shards.
pub const HANDOVER_OUTCOME_TIMEOUT: Duration = Duration::from_secs(5);
/// A few shards' handover as a whole; and how long the next one waits for it to end.
pub const HANDOVER_TIMEOUT: Duration = Duration::from_secs(18);
/// With less time than this for the steps before the registry is asked, no shard is closed: it would only open again.
pub const HANDOVER_LEAST_TIME: Duration = Duration::from_secs(1);
/// One call of the registry, before it is repeated; the longest pause before that.
pub const REGISTRY_CALL_TIMEOUT: Duration = Duration::from_secs(3);
pub const REGISTRY_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Declaring a pod dead waits for what that pod has in flight, so it takes longer than other calls.
pub const DECLARE_DEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// One try to finish a dead pod's write-behind, before its right is given back and the next dead pod is looked at. Long
/// enough for the largest backlog: another try begins anew.
pub const TAKEOVER_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a stop waits for what was accepted; and before that, for all shards to be handed over.
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
const _: () = assert!(HANDOVER_TIMEOUT.as_millis() < STOP_PATIENCE.as_millis());
const _: () = assert!(
    REGISTRY_CALL_TIMEOUT.as_millis() + REGISTRY_RETRY_PAUSE.as_millis()
        < HANDOVER_OUTCOME_TIMEOUT.as_millis()
);
