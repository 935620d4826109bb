//! Deadlines without a timer for each. A task that serves request after request under several deadlines keeps one timer, which it
//! hardly ever moves; what waits under a deadline only says when it must be polled again.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    ptr,
    task::{Context, Poll, RawWakerVTable, Waker},
};

use tokio::time::{Instant, Sleep};

thread_local! {
    /// The punctual task that this thread is polling.
    static POLLED: Cell<Option<Polled>> = const { Cell::new(None) };
}

#[derive(Debug, Clone, Copy)]
struct Polled {
    waker: WakerId,
    /// Set when the task's timer has gone off: whoever is due finds it out by this.
    now: Option<Instant>,
    /// The earliest deadline that the task waits under.
    earliest: Option<Instant>,
}

/// Tells a task's own waker from those that combinators hand to their parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct WakerId(*const (), *const RawWakerVTable);

impl WakerId {
    fn of(waker: &Waker) -> Self {
        Self(waker.data(), ptr::from_ref(waker.vtable()))
    }
}

impl Polled {
    fn poll<F: Future>(
        task: Pin<&mut F>,
        context: &mut Context<'_>,
        now: Option<Instant>,
    ) -> (Poll<F::Output>, Option<Instant>) {
        /// Also when the task panics: its waker's place may soon be another's.
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                POLLED.set(None);
            }
        }
        POLLED.set(Some(Self { waker: WakerId::of(context.waker()), now, earliest: None }));
        let _leave = Leave;
        let poll = task.poll(context);
        (poll, POLLED.get().and_then(|polled| polled.earliest))
    }
}

/// Runs `task` with one timer for every [`Alarm`] that it waits for.
pub async fn punctual<F: Future>(task: F) -> F::Output {
    let mut task = pin!(task);
    let mut timer = pin!(tokio::time::sleep_until(Instant::now()));
    // The timer never goes off later than the earliest deadline; where it goes off earlier, that costs one poll.
    let mut set_to: Option<Instant> = None;
    let mut now = None;
    poll_fn(|context| {
        loop {
            let (poll, earliest) = Polled::poll(task.as_mut(), context, now.take());
            if poll.is_ready() {
                return poll;
            }
            if let Some(earliest) = earliest
                && set_to.is_none_or(|set_to| earliest < set_to)
            {
                timer.as_mut().reset(earliest);
                set_to = Some(earliest);
            }
            if set_to.is_none() || timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            set_to = None;
            now = Some(Instant::now());
        }
    })
    .await
}

/// Is ready at its time. Outside a punctual task it has a timer of its own.
#[derive(Debug)]
pub struct Alarm {
    at: Instant,
    own: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    pub const fn at(at: Instant) -> Self {
        Self { at, own: None }
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        match POLLED.get().filter(|polled| polled.waker == WakerId::of(context.waker())) {
            Some(polled) if polled.now.is_some_and(|now| now >= at) => Poll::Ready(()),
            Some(polled) => {
                let earliest = polled.earliest.map_or(at, |earliest| earliest.min(at));
                POLLED.set(Some(Polled { earliest: Some(earliest), ..polled }));
                Poll::Pending
            }
            None => {
                self.own.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at))).as_mut().poll(context)
            }
        }
    }
}

/// What comes of `future`, unless `deadline` passes first.
pub async fn until<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let (mut future, mut alarm) = (pin!(future), Alarm::at(deadline));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Pin::new(&mut alarm).poll(context).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use futures_util::{StreamExt as _, stream::FuturesUnordered};
    use tokio::time::Instant as Clock;

    use super::*;

    fn seconds(begun: Clock) -> u64 {
        begun.elapsed().as_secs()
    }

    async fn wait(seconds: u64) -> bool {
        let deadline = Clock::now() + Duration::from_secs(seconds);
        until(deadline, pending::<()>()).await.is_none()
    }

    #[tokio::test(start_paused = true)]
    async fn one_deadline_after_another_and_within_another() {
        for inside in [true, false] {
            let begun = Clock::now();
            let task = async {
                assert!(wait(3).await);
                assert_eq!(seconds(begun), 3);
                // The later one around the earlier, and the earlier around the later.
                let outer = Clock::now() + Duration::from_secs(7);
                assert_eq!(until(outer, wait(2)).await, Some(true));
                assert_eq!(seconds(begun), 5);
                assert_eq!(until(outer, wait(60)).await, None);
                assert_eq!(seconds(begun), 10);
                assert_eq!(until(outer, async { 5 }).await, Some(5), "what is ready is taken, late or not");
            };
            if inside { punctual(task).await } else { task.await }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_alarm_that_is_no_longer_awaited_wakes_nobody_for_long() {
        let begun = Clock::now();
        punctual(async {
            for _ in 0..100 {
                let deadline = Clock::now() + Duration::from_secs(5);
                assert_eq!(until(deadline, tokio::time::sleep(Duration::from_millis(100))).await, Some(()));
            }
            assert_eq!(seconds(begun), 10);
            assert!(wait(1).await);
            assert_eq!(seconds(begun), 11);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn parts_with_wakers_of_their_own_keep_timers_of_their_own() {
        let begun = Clock::now();
        punctual(async {
            let mut parts: FuturesUnordered<_> = [4, 1, 9].into_iter().map(wait).collect();
            let mut ended = Vec::new();
            while let Some(passed) = parts.next().await {
                assert!(passed);
                ended.push(seconds(begun));
            }
            assert_eq!(ended, [1, 4, 9]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_leaves_nothing_behind() {
        let failed = tokio::spawn(punctual(async {
            wait(1).await;
            panic!("on purpose");
        }))
        .await;
        assert!(failed.is_err());
        assert!(POLLED.get().is_none());
        assert!(wait(1).await);
    }
}
