use std::fmt;

use serde::{Serialize, Serializer};
use smartcart_domain::time::Timestamp;

const MILLIS_OF_DAY: i64 = 24 * 60 * 60 * 1000;

/// A moment as RFC 3339 in UTC, to the millisecond: always 24 characters, for the years 0 to 9999.
///
/// Written by hand because every cart has three of them, and a general formatter takes longer than the rest of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfc3339(pub Timestamp);

impl Rfc3339 {
    pub(super) fn text(self) -> [u8; 24] {
        let millis = self.0.0;
        let (year, month, day) = civil(millis.div_euclid(MILLIS_OF_DAY));
        let time = millis.rem_euclid(MILLIS_OF_DAY);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        write_digits(&mut text[0..4], year);
        write_digits(&mut text[5..7], month);
        write_digits(&mut text[8..10], day);
        write_digits(&mut text[11..13], time / 3_600_000);
        write_digits(&mut text[14..16], time / 60_000 % 60);
        write_digits(&mut text[17..19], time / 1000 % 60);
        write_digits(&mut text[20..23], time % 1000);
        text
    }
}

/// The year, month and day of a day since 1970-01-01: `civil_from_days` of Howard Hinnant's "chrono-Compatible
/// Low-Level Date Algorithms". Eras of 400 years begin in March, so that the leap day comes last.
const fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + shifted.div_euclid(146_097) * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// The last digits of a number that is not negative.
fn write_digits(place: &mut [u8], number: i64) {
    // Half the width takes a third of the time to divide.
    let mut rest = u32::try_from(number).unwrap_or_default();
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
}

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.text()).map_err(serde::ser::Error::custom)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_always_written() {
        assert_eq!(Rfc3339(Timestamp(0)).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Rfc3339(Timestamp(1_700_000_000_123)).to_string(), "2023-11-14T22:13:20.123Z");
        assert_eq!(Rfc3339(Timestamp(1_709_251_199_999)).to_string(), "2024-02-29T23:59:59.999Z");
        assert_eq!(Rfc3339(Timestamp(-1)).to_string(), "1969-12-31T23:59:59.999Z");
    }

    /// Every day from 1600 to 2400, a little later on each.
    #[test]
    fn it_agrees_with_a_general_formatter() {
        for day in -135_140..157_054_i64 {
            let millis = day * MILLIS_OF_DAY + day.rem_euclid(86_399) * 1001 % MILLIS_OF_DAY;
            let expected = jiff::Timestamp::from_millisecond(millis).unwrap();
            assert_eq!(Rfc3339(Timestamp(millis)).to_string(), format!("{expected:.3}"));
        }
    }
}
