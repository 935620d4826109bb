//! SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): a run's choices follow from
//! its seed, and each worker draws from a stream of its own.

#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream for the part `label` of what this seed decides; it does not disturb this one.
    #[must_use]
    pub fn fork(&self, label: u64) -> Self {
        let mut mixed = Self(self.0 ^ label.wrapping_mul(0xA24B_AED4_963E_E407));
        Self(mixed.next_u64())
    }

    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `0..bound` (Lemire's multiplication; the bias of 2^-64 does not matter here).
    ///
    /// # Panics
    /// When `bound` is zero.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the high half of a product with `bound` is below `bound`"
    )]
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "nothing is below zero");
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Uniform in `low..=high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next_u64() % (high - low + 1)
    }

    /// True `percent` times out of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Uniform in `[0, 1)`, with 53 bits.
    #[expect(clippy::float_arithmetic, reason = "a fraction is what is asked for")]
    pub fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { Some(&from[self.below(from.len())]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // The reference implementation's first outputs for the seed 1234567.
        let mut rng = Rng::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn forks_differ_and_leave_the_parent_alone() {
        let parent = Rng::new(1);
        let (mut a, mut b) = (parent.fork(1), parent.fork(2));
        assert_ne!(a.next_u64(), b.next_u64());
        assert_eq!(parent.clone().next_u64(), Rng::new(1).next_u64());
    }

    #[test]
    fn every_value_below_the_bound_is_drawn() {
        let mut rng = Rng::new(7);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[rng.below(5)] = true;
        }
        assert_eq!(seen, [true; 5]);
    }
}
