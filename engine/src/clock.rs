//! Two kinds of time. The *wall clock* dates things for people. *Shop time* decides when a hold ends: it is this
//! process's monotonic clock set upon the last shop time that was made durable, so no jump of the wall clock frees
//! a hold early, and while the shop is down it stands still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use smartcart_domain::time::{Moment, ShopTime, Timestamp, millis};

/// Where time comes from: the system's clocks, or a test's hand.
pub trait Clock: Send + Sync + 'static {
    fn wall(&self) -> Timestamp;
    /// Time since some fixed moment of this process; never goes back.
    fn monotonic(&self) -> Duration;
}

#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the wall clock is read")]
    fn wall(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(millis(since))
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that moves only when it is told to.
#[derive(Debug, Default)]
pub struct ManualClock {
    wall: AtomicI64,
    monotonic: AtomicI64,
}

impl ManualClock {
    pub fn at(wall: Timestamp) -> Self {
        Self { wall: AtomicI64::new(wall.0), monotonic: AtomicI64::new(0) }
    }

    /// Both clocks go on by `by`.
    pub fn advance(&self, by: Duration) {
        self.wall.fetch_add(millis(by), Ordering::SeqCst);
        self.monotonic.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// The wall clock alone is set: an operator's hand, or NTP's.
    pub fn set_wall(&self, wall: Timestamp) {
        self.wall.store(wall.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic.load(Ordering::SeqCst).unsigned_abs())
    }
}

/// Shop time: the last durable shop time, plus what this process has lived. The pods of a fleet follow the one that is
/// furthest.
#[derive(Clone)]
pub struct ShopClock {
    base: Arc<AtomicI64>,
    clock: Arc<dyn Clock>,
    /// How much the clocks of those who share the shop may differ.
    skew: Duration,
}

impl std::fmt::Debug for ShopClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShopClock")
            .field("now", &self.now())
            .field("skew", &self.skew)
            .finish_non_exhaustive()
    }
}

impl ShopClock {
    pub fn starting_at(base: ShopTime, clock: Arc<dyn Clock>) -> Self {
        let lived = clock.monotonic();
        let base = Arc::new(AtomicI64::new(base.0.saturating_sub(millis(lived))));
        Self { base, clock, skew: Duration::ZERO }
    }

    /// For a pod among others, whose clocks differ from this one by less than `skew`.
    #[must_use]
    pub fn sharing(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// Somebody else's clock shows `other`: this one is not behind it from now on.
    pub fn follow(&self, other: ShopTime) {
        let lived = millis(self.clock.monotonic());
        self.base.fetch_max(other.0.saturating_sub(lived), Ordering::AcqRel);
    }

    pub fn now(&self) -> ShopTime {
        ShopTime(self.base.load(Ordering::Acquire)).plus(self.clock.monotonic())
    }

    /// Deadlines up to this have passed on every clock of the shop.
    pub fn passed(&self) -> ShopTime {
        self.passed_at(self.now())
    }

    const fn passed_at(&self, now: ShopTime) -> ShopTime {
        ShopTime(now.0.saturating_sub(millis(self.skew)))
    }

    /// Each clock read once.
    pub fn moment(&self) -> Moment {
        let shop = self.now();
        Moment { wall: self.wall(), shop, passed: self.passed_at(shop) }
    }

    pub fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    /// The wall-clock moment at which a deadline will pass, for people to read.
    pub fn wall_of(&self, deadline: ShopTime) -> Timestamp {
        self.wall().plus(deadline.remaining(self.now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_follows_one_that_is_ahead_and_ends_no_hold_before_all_agree() {
        let hands = Arc::new(ManualClock::at(Timestamp(0)));
        let shop = ShopClock::starting_at(ShopTime(1_000), hands.clone()).sharing(Duration::from_secs(2));
        shop.follow(ShopTime(5_000));
        assert_eq!(shop.now(), ShopTime(5_000));
        shop.follow(ShopTime(4_000));
        hands.advance(Duration::from_secs(1));
        assert_eq!((shop.now(), shop.passed()), (ShopTime(6_000), ShopTime(4_000)));
    }

    #[test]
    fn a_jump_of_the_wall_clock_moves_no_deadline() {
        let clock = Arc::new(ManualClock::at(Timestamp(1_000_000)));
        let shop = ShopClock::starting_at(ShopTime(5_000), clock.clone());
        let deadline = shop.now().plus(Duration::from_secs(60));
        clock.set_wall(Timestamp(1_000_000 + 3_600_000));
        assert_eq!(deadline.remaining(shop.now()), Duration::from_secs(60));
        clock.advance(Duration::from_secs(59));
        assert_eq!(deadline.remaining(shop.now()), Duration::from_secs(1));
    }
}
