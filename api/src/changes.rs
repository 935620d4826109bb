//! Changes that run to completion, whether or not their client still listens: docs/adr/0008.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::response::{IntoResponse as _, Response};
use metrics::counter;
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, timeout},
};

use crate::{
    limits::{CHANGE_DEADLINE, UNATTENDED_CHANGES},
    problem::{Code, Problem},
};

/// The process's changes under way that are tasks of their own.
///
/// While its client listens, a change takes up a connection, and these are bounded. Those that nobody listens to any more are
/// bounded here.
#[derive(Debug, Clone, Default)]
pub struct Changes(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    under_way: AtomicUsize,
    unattended: AtomicUsize,
    /// Woken at the end of each.
    ended: Notify,
}

impl Changes {
    pub fn under_way(&self) -> usize {
        self.0.under_way.load(Ordering::Acquire)
    }

    /// Begins a change, unless too many go on whose clients have left.
    pub fn run(&self, change: impl Future<Output = Response> + Send + 'static) -> Result<Attended, Problem> {
        if self.0.unattended.load(Ordering::Relaxed) >= UNATTENDED_CHANGES {
            counter!("smartcart_shed_total", "reason" => "unattended_changes").increment(1);
            return Err(Problem::plain(Code::Overloaded).with("reason", "unattended_changes"));
        }
        self.0.under_way.fetch_add(1, Ordering::AcqRel);
        let running = Arc::new(Running { counts: self.0.clone(), phase: AtomicU8::new(ATTENDED) });
        let ends = Ends(running.clone());
        let task = tokio::spawn(async move {
            let response = timeout(CHANGE_DEADLINE, change).await.unwrap_or_else(|_| {
                tracing::error!("a change was given up after {CHANGE_DEADLINE:?}");
                Problem::plain(Code::DeadlineExceeded).into_response()
            });
            // Before the answer leaves: who has it finds the change ended.
            drop(ends);
            response
        });
        Ok(Attended { task, running })
    }

    /// Waits until none is under way, at most this long. How many still are.
    pub async fn finished(&self, patience: Duration) -> usize {
        let until = Instant::now() + patience;
        loop {
            let ended = self.0.ended.notified();
            let left = self.under_way();
            if left == 0 || tokio::time::timeout_at(until, ended).await.is_err() {
                return self.under_way();
            }
        }
    }
}

const ATTENDED: u8 = 0;
const UNATTENDED: u8 = 1;
const ENDED: u8 = 2;

#[derive(Debug)]
struct Running {
    counts: Arc<Counts>,
    phase: AtomicU8,
}

/// Counts a change as ended, also when it has panicked.
struct Ends(Arc<Running>);

impl Drop for Ends {
    fn drop(&mut self) {
        let Running { counts, phase } = &*self.0;
        if phase.swap(ENDED, Ordering::AcqRel) == UNATTENDED {
            counts.unattended.fetch_sub(1, Ordering::AcqRel);
        }
        counts.under_way.fetch_sub(1, Ordering::AcqRel);
        counts.ended.notify_waiters();
    }
}

/// The answer of a change, which goes on without whoever waits here.
#[derive(Debug)]
pub struct Attended {
    task: JoinHandle<Response>,
    running: Arc<Running>,
}

impl Future for Attended {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        Pin::new(&mut self.task)
            .poll(context)
            .map(|ended| ended.unwrap_or_else(|error| Problem::internal(&error).into_response()))
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        let Running { counts, phase } = &*self.running;
        // First, so that the count never falls below what ends meanwhile.
        counts.unattended.fetch_add(1, Ordering::AcqRel);
        if phase.compare_exchange(ATTENDED, UNATTENDED, Ordering::AcqRel, Ordering::Acquire).is_err() {
            counts.unattended.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use tokio::sync::oneshot;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_change_goes_on_without_its_client() {
        let changes = Changes::default();
        let (done, outcome) = oneshot::channel();
        drop(changes.run(async move {
            tokio::task::yield_now().await;
            done.send(()).unwrap();
            StatusCode::OK.into_response()
        }));
        assert_eq!(changes.finished(PATIENCE).await, 0);
        outcome.await.unwrap();
        assert_eq!(changes.0.unattended.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn those_that_nobody_listens_to_are_bounded_and_the_others_are_not_counted() {
        let changes = Changes::default();
        let endless = || changes.run(std::future::pending::<Response>());
        let attended: Vec<_> = (0..UNATTENDED_CHANGES * 2).map(|_| endless().unwrap()).collect();
        assert_eq!(changes.under_way(), UNATTENDED_CHANGES * 2);
        assert!(endless().is_ok());
        drop(attended);
        assert_eq!(endless().unwrap_err().code(), Code::Overloaded);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_panics_or_takes_for_ever_ends() {
        let changes = Changes::default();
        let fails = changes.run(async { panic!("on purpose") }).unwrap();
        assert_eq!(fails.await.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let hangs = changes.run(std::future::pending()).unwrap();
        assert_eq!(changes.finished(Duration::from_secs(1)).await, 1);
        assert_eq!(hangs.await.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(changes.finished(PATIENCE).await, 0);
        assert_eq!(changes.0.unattended.load(Ordering::Relaxed), 0);
    }
}
