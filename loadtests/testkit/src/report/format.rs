//! Numbers as text.
#![expect(clippy::float_arithmetic, reason = "milliseconds have fractions")]

use std::{fmt::Display, time::Duration};

/// The smallest, the middle and the largest.
pub fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |index: usize| times.get(index).map_or(0, Duration::as_millis);
    format!("{} / {} / {} ms", at(0), at(times.len() / 2), at(times.len().saturating_sub(1)))
}

/// Of nanoseconds, with two digits behind the point.
pub fn milliseconds(nanoseconds: u64) -> String {
    format!("{:.2}", nanoseconds as f64 / 1e6)
}

/// With so many digits behind the point; nothing when it is not known.
pub fn optional(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.digits$}"))
}

/// How often each of these came: `7 x 503, 1 x 504`.
pub fn counts<K: Display, N: Display>(of: impl IntoIterator<Item = (K, N)>) -> String {
    let counted: Vec<String> = of.into_iter().map(|(what, count)| format!("{count} x {what}")).collect();
    counted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told() {
        assert_eq!(spread([3, 1, 2].map(Duration::from_millis).to_vec()), "1 / 2 / 3 ms");
        assert_eq!(spread(Vec::new()), "0 / 0 / 0 ms");
        assert_eq!(milliseconds(1_234_567), "1.23");
        assert_eq!((optional(Some(1.25), 1), optional(None, 1)), ("1.2".to_owned(), String::new()));
        assert_eq!(counts([(503, 7), (504, 1)]), "7 x 503, 1 x 504");
    }
}
