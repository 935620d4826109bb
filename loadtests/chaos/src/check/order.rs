//! Versions never go back: whoever asks after an answer was received sees at least what that answer said.

use std::fmt::Display;

use smartcart_testkit::report::Violation;

/// An answer that named a version, and when it was asked for and received, on the clients' common counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    pub version: u64,
    pub sent: u64,
    pub answered: u64,
}

/// Answers that were received before another was asked for must not name a higher version than it.
pub fn check(entity: &impl Display, sightings: &[Sighting]) -> Option<Violation> {
    let mut by_time: Vec<&Sighting> = sightings.iter().collect();
    by_time.sort_by_key(|sighting| sighting.sent);
    let mut received: Vec<&Sighting> = sightings.iter().collect();
    received.sort_by_key(|sighting| sighting.answered);

    let mut highest: Option<&Sighting> = None;
    let mut next = 0;
    for sighting in by_time {
        while next < received.len() && received[next].answered < sighting.sent {
            if highest.is_none_or(|known| known.version < received[next].version) {
                highest = Some(received[next]);
            }
            next += 1;
        }
        if let Some(known) = highest.filter(|known| known.version > sighting.version) {
            return Some(Violation::new(
                "version_went_back",
                format!(
                    "{entity}: version {} was answered at {}, and a request of {} was answered with version {}",
                    known.version, known.answered, sighting.sent, sighting.version
                ),
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(version: u64, sent: u64, answered: u64) -> Sighting {
        Sighting { version, sent, answered }
    }

    #[test]
    fn overlapping_answers_may_come_in_any_order() {
        assert_eq!(check(&"cart", &[seen(3, 0, 5), seen(2, 1, 4), seen(4, 6, 7)]), None);
    }

    #[test]
    fn the_same_version_may_be_read_again() {
        assert_eq!(check(&"cart", &[seen(3, 0, 1), seen(3, 2, 3)]), None);
    }

    #[test]
    fn a_later_request_must_not_see_an_earlier_version() {
        let violation = check(&"cart", &[seen(7, 0, 1), seen(6, 2, 3)]).unwrap();
        assert_eq!(violation.rule, "version_went_back");
        // Whatever lies between: the high one was forgotten.
        assert!(check(&"cart", &[seen(7, 0, 1), seen(7, 2, 9), seen(8, 2, 8), seen(6, 3, 4)]).is_some());
    }
}
