//! Waits between attempts, longer each time, with jitter: whoever failed together does not come back together.

use std::time::Duration;

/// Steps of the jitter.
const PARTS: u32 = 1 << 10;

/// Pauses that double from a first to a longest one. Each is drawn between half of that and all of it (equal jitter).
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    first: Duration,
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, next: first, longest }
    }

    /// How long to wait before the next attempt.
    pub fn pause(&mut self) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.longest);
        let half = whole / 2;
        half + half * fastrand::u32(..=PARTS) / PARTS
    }

    pub async fn wait(&mut self) {
        let pause = self.pause();
        tokio::time::sleep(pause).await;
    }

    /// An attempt succeeded: the next pause is the first one again.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_each_is_at_least_half_of_its_step() {
        let millis = Duration::from_millis;
        let mut backoff = Backoff::new(millis(20), millis(50));
        for step in [20, 40, 50, 50] {
            let pause = backoff.pause();
            assert!(pause >= millis(step) / 2 && pause <= millis(step), "{pause:?} of {step} ms");
        }
        backoff.reset();
        assert!(backoff.pause() <= millis(20));
    }
}
