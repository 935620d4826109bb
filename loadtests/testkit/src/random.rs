//! Random numbers: a run's choices follow from its seed, and each of its parts draws from a stream of its own.

use rand::{Rng as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};

/// The same on every machine and in every version of its library.
pub type Rng = Xoshiro256PlusPlus;

pub fn seeded(seed: u64) -> Rng {
    Rng::seed_from_u64(seed)
}

pub trait Fork {
    /// A stream for the part `label` of what this one decides; it does not disturb this one.
    #[must_use]
    fn fork(&self, label: u64) -> Self;
}

impl Fork for Rng {
    fn fork(&self, label: u64) -> Self {
        seeded(self.clone().next_u64().wrapping_add(label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides() {
        assert_eq!(seeded(7).next_u64(), seeded(7).next_u64());
        assert_ne!(seeded(7).next_u64(), seeded(8).next_u64());
    }

    #[test]
    fn forks_differ_and_leave_the_parent_alone() {
        let parent = seeded(1);
        let (mut a, mut b) = (parent.fork(1), parent.fork(2));
        assert_ne!(a.next_u64(), b.next_u64());
        assert_eq!(parent.clone().next_u64(), seeded(1).next_u64());
    }

    #[test]
    fn forks_of_forks_differ_too() {
        let parent = seeded(1);
        assert_ne!(parent.fork(1).fork(2).next_u64(), parent.fork(2).fork(2).next_u64());
        assert_ne!(parent.fork(1).fork(2).next_u64(), parent.fork(2).next_u64());
    }
}
