//! Two kinds of time. The *wall clock* dates things for people. *Shop time* decides when a hold ends: it goes on while the
//! shop runs and stands still while it is down, whatever happens to the wall clock.

use std::time::Duration;

/// Wall-clock milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// Milliseconds of shop time. Only differences and order have a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ShopTime(pub i64);

impl Timestamp {
    #[must_use]
    pub const fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }
}

impl ShopTime {
    #[must_use]
    pub const fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// What is left until `self`, or nothing when it has passed.
    pub const fn remaining(self, now: Self) -> Duration {
        let left = self.0.saturating_sub(now.0);
        Duration::from_millis(if left > 0 { left.unsigned_abs() } else { 0 })
    }
}

/// A time of whole seconds, in four bytes: up to 136 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seconds(pub u32);

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        Self::from_secs(seconds.0.into())
    }
}

/// A duration in whole milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "i64 milliseconds are 292 million years")]
pub const fn millis(duration: Duration) -> i64 {
    duration.as_millis() as i64
}

/// What the clocks say while one request is decided.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub wall: Timestamp,
    pub shop: ShopTime,
    /// Deadlines up to this have passed on every clock of the shop.
    pub passed: ShopTime,
}
