//! When a round's server is killed: by the seed.

use std::time::Duration;

use rand::RngExt as _;
use smartcart_testkit::random::Rng;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub moment: Moment,
    /// Kills of the starts that follow, each so long after the process began: they land in the recovery.
    pub during_recovery: Vec<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long after the load began.
    After(Duration),
    /// At the first acknowledgement of a change once so long has passed: before the client does anything else. What was
    /// answered too early is caught here.
    Answer { after: Duration },
    /// So long after the first checkout was answered once `After` has passed: its flush, and the sale that follows it.
    Checkout { after: Duration, then: Duration },
}

/// Kills are spread over this much of a round: some flushes of the write-behind, whose period is below a second.
const SPREAD_MS: u64 = 1200;
/// How long a start may take to recover, roughly: the kills of a recovery are spread over it.
const RECOVERY_MS: u64 = 150;

impl Plan {
    pub fn draw(rng: &mut Rng, longest: Duration) -> Self {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(SPREAD_MS);
        let after = Duration::from_millis(match rng.random_range(0..4) {
            0 => rng.random_range(0..=longest),
            _ => rng.random_range(0..=longest.min(SPREAD_MS)),
        });
        let moment = match rng.random_range(0..10) {
            0..5 => Moment::Answer { after },
            5..7 => Moment::Checkout { after, then: Duration::from_micros(rng.random_range(0..=3_000)) },
            _ => Moment::After(after),
        };
        let kills = if rng.random_ratio(35, 100) { rng.random_range(1..=3) } else { 0 };
        let during_recovery =
            (0..kills).map(|_| Duration::from_millis(rng.random_range(0..=RECOVERY_MS))).collect();
        Self { moment, during_recovery }
    }
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.moment {
            Moment::After(after) => write!(f, "killed after {:>4} ms", after.as_millis())?,
            Moment::Answer { after } => write!(f, "killed after {:>4} ms, at an answer", after.as_millis())?,
            Moment::Checkout { after, then } => {
                write!(
                    f,
                    "killed after {:>4} ms, {} us after a checkout",
                    after.as_millis(),
                    then.as_micros()
                )?;
            }
        }
        for after in &self.during_recovery {
            write!(f, ", again {} ms into recovery", after.as_millis())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use smartcart_testkit::random::{Fork as _, seeded};

    use super::*;

    #[test]
    fn fifty_rounds_have_kills_of_every_kind() {
        let seed = seeded(1);
        let plans: Vec<Plan> =
            (0..50).map(|round| Plan::draw(&mut seed.fork(round), Duration::from_secs(2))).collect();
        let early = |plan: &Plan| matches!(plan.moment, Moment::After(after) if after.as_millis() < 200);
        assert!(plans.iter().any(early));
        assert!(plans.iter().any(|plan| matches!(plan.moment, Moment::Answer { .. })));
        assert!(plans.iter().any(|plan| matches!(plan.moment, Moment::Checkout { .. })));
        assert!(plans.iter().any(|plan| !plan.during_recovery.is_empty()));
        assert_eq!(plans[7], Plan::draw(&mut seed.fork(7), Duration::from_secs(2)), "the seed decides");
    }
}
