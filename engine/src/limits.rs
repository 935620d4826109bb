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
/// ShardMap that one pod hands over at once.
pub const SHARDS_HANDED_AT_ONCE: usize = 8;
/// Pods that a request passes on its way: the one it came to, and one more when the shard has just moved.
pub const MAX_HOPS: u8 = 2;
/// Pods' shop times differ by less than this: a hold is let go of this much after its time in a fleet, so that none
/// ends early when its shard changes hands.
pub const SHOP_TIME_SKEW: Duration = Duration::from_secs(2);

const _: () = assert!(COPIES_DROPPED_AT < GUESTS_REFUSED_AT);
const _: () = assert!(GUESTS_REFUSED_AT < ALL_REFUSED_AT && ALL_REFUSED_AT < 100);
const _: () = assert!(READS_WITHOUT_ASKING.as_millis() < READS_WITHOUT_CONFIRMATION.as_millis());
