//! Zipf's law: rank `k` (from 1) is drawn with a probability proportional to `1 / k^exponent`.
#![expect(clippy::float_arithmetic, reason = "probabilities")]

use crate::rng::Rng;

#[derive(Debug)]
pub struct Zipf {
    /// The probability of a rank up to this one.
    cumulative: Vec<f64>,
}

impl Zipf {
    /// # Panics
    /// When there are no ranks.
    pub fn new(ranks: u32, exponent: f64) -> Self {
        assert!(ranks > 0, "a distribution over nothing");
        let mut cumulative: Vec<f64> = (1..=ranks)
            .scan(0.0, |sum, rank| {
                *sum += f64::from(rank).powf(-exponent);
                Some(*sum)
            })
            .collect();
        let total = cumulative[cumulative.len() - 1];
        cumulative.iter_mut().for_each(|sum| *sum /= total);
        Self { cumulative }
    }

    /// A rank from 0, by inverting the distribution.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        let point = rng.fraction();
        self.cumulative.partition_point(|sum| *sum <= point).min(self.cumulative.len() - 1)
    }

    /// Ranks drawn beforehand, so that drawing costs nothing while it is measured.
    pub fn table(&self, rng: &mut Rng, draws: usize) -> Vec<u32> {
        (0..draws).map(|_| u32::try_from(self.draw(rng)).unwrap_or(u32::MAX)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_follow_the_law() {
        let (ranks, exponent, draws) = (1000_u32, 0.99, 400_000);
        let zipf = Zipf::new(ranks, exponent);
        let mut counts = vec![0_u32; 1000];
        for rank in zipf.table(&mut Rng::new(1), draws) {
            counts[rank as usize] += 1;
        }
        let norm: f64 = (1..=ranks).map(|rank| f64::from(rank).powf(-exponent)).sum();
        for rank in [1_u32, 2, 10, 100] {
            let expected = 400_000.0 * f64::from(rank).powf(-exponent) / norm;
            let seen = f64::from(counts[rank as usize - 1]);
            assert!(
                (seen - expected).abs() < 6.0 * expected.sqrt(),
                "rank {rank}: {seen}, expected {expected}"
            );
        }
    }

    #[test]
    fn one_rank_is_always_drawn() {
        assert_eq!(Zipf::new(1, 0.99).draw(&mut Rng::new(3)), 0);
    }

    #[test]
    fn exponent_zero_is_uniform() {
        let zipf = Zipf::new(4, 0.0);
        let mut counts = [0_u32; 4];
        for rank in zipf.table(&mut Rng::new(5), 40_000) {
            counts[rank as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }
}
