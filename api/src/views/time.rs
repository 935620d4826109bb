use std::fmt::{self, Write as _};

use serde::{Serialize, Serializer};
use smartcart_engine::time::Timestamp;

/// A moment as RFC 3339 in UTC, to the millisecond: always 24 characters for the years 0 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfc3339(pub Timestamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::from_millisecond(self.0.0).map_err(|_| fmt::Error)?;
        write!(f, "{at:.3}")
    }
}

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(24);
        write!(text, "{self}").map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_are_always_written() {
        assert_eq!(Rfc3339(Timestamp(0)).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Rfc3339(Timestamp(1_700_000_000_123)).to_string(), "2023-11-14T22:13:20.123Z");
    }
}
