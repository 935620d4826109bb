//! When a round's server is killed: by the seed.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use tokio::sync::Notify;

use crate::{rng::Rng, server::Server};

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
        let after = Duration::from_millis(match rng.below(4) {
            0 => rng.between(0, longest),
            _ => rng.between(0, longest.min(SPREAD_MS)),
        });
        let moment = match rng.below(10) {
            0..5 => Moment::Answer { after },
            5..7 => Moment::Checkout { after, then: Duration::from_micros(rng.between(0, 3_000)) },
            _ => Moment::After(after),
        };
        let kills = if rng.chance(35) { rng.between(1, 3) } else { 0 };
        let during_recovery =
            (0..kills).map(|_| Duration::from_millis(rng.between(0, RECOVERY_MS))).collect();
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

/// The running server, within reach of the clients, so that an answer can be its death without a detour.
#[derive(Debug, Default)]
pub struct Fuse {
    server: Mutex<Option<Server>>,
    armed: AtomicBool,
    blown: Notify,
}

impl Fuse {
    pub fn hold(&self, server: Server) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }

    /// From now on the first acknowledgement kills. Waits for it, a second at most.
    pub async fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
        // Where everything is refused, some other moment is as good.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.blown.notified()).await;
        self.armed.store(false, Ordering::SeqCst);
    }

    /// A change was acknowledged.
    pub fn acknowledged(&self) {
        if !self.armed.swap(false, Ordering::SeqCst) {
            return;
        }
        if let Some(server) = self.server.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // A server that is gone already is found and reported by `kill`.
            let _ = server.kill_now();
        }
        self.blown.notify_one();
    }

    /// Kills the server, if that has not happened yet.
    pub async fn kill(&self) -> anyhow::Result<()> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        server.context("there is no server to kill")?.kill().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_rounds_have_kills_of_every_kind() {
        let seed = Rng::new(1);
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
