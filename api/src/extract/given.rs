use serde::{Deserialize, Deserializer};

/// For a field that may be left out: `null` is something else, and is `Some(None)`.
pub fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
