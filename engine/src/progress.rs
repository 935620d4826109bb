//! Work that may take long has no deadline as a whole: it ends when it does not get on.

use std::{pin::pin, time::Duration};

use tokio::{sync::watch, time::timeout};

/// What the work reports to whoever waits for it.
#[derive(Debug, Default)]
pub(crate) struct Progress(watch::Sender<()>);

impl Progress {
    /// A step is done.
    pub(crate) fn made(&self) {
        self.0.send_replace(());
    }

    /// The work's result. Nothing: it was dropped, since for `patience` it had made no progress.
    pub(crate) async fn while_made<T>(&self, patience: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut steps = self.0.subscribe();
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                step = timeout(patience, steps.changed()) => {
                    step.ok()?.ok()?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn work_that_gets_on_takes_as_long_as_it_takes() {
        let progress = Progress::default();
        let work = async {
            for _ in 0..1_000 {
                sleep(PATIENCE - Duration::from_secs(1)).await;
                progress.made();
            }
            "done"
        };
        assert_eq!(progress.while_made(PATIENCE, work).await, Some("done"));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_gets_stuck_is_dropped() {
        let progress = Progress::default();
        let began = Instant::now();
        let work = async {
            sleep(PATIENCE / 2).await;
            progress.made();
            std::future::pending::<()>().await;
        };
        assert_eq!(progress.while_made(PATIENCE, work).await, None);
        assert_eq!(began.elapsed().as_secs(), (PATIENCE + PATIENCE / 2).as_secs());
    }
}
