//! Identifiers. Random ones are 128 bits from the operating system's CSPRNG and are written as 32 lower-case
//! hexadecimal digits; SKUs and product ids are the shop's own words.

use std::{fmt, str::FromStr, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;

use crate::limits;

/// A text that is not an id of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidId(&'static str);

/// 16 bytes from the CSPRNG.
///
/// # Panics
/// When the operating system has no randomness to give: nothing that follows could be trusted.
#[expect(clippy::disallowed_methods, reason = "this is the one place where randomness is drawn")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system's random source answers");
    bytes
}

/// The secret from which ids are derived. Kept with the store: the same caller and key give the same id after a restart.
#[derive(Clone)]
pub struct IdSecret([u8; 32]);

impl fmt::Debug for IdSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdSecret(..)")
    }
}

impl IdSecret {
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub fn random() -> Self {
        Self(random_bytes())
    }

    /// HMAC-SHA256 over the parts, each with its length before it, cut to 128 bits.
    pub fn derive(&self, purpose: &str, parts: &[&[u8]]) -> u128 {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let digest = mac.finalize().into_bytes();
        let mut cut = [0; 16];
        cut.copy_from_slice(&digest[..16]);
        u128::from_be_bytes(cut)
    }
}

fn parse_hex(text: &str) -> Result<u128, InvalidId> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    // Sixteen digits fit a register: an id is read at each request.
    let half = |digits: &[u8]| {
        digits.iter().try_fold(0_u64, |half, byte| Some(half << 4 | u64::from(digit(*byte)?)))
    };
    text.as_bytes()
        .split_at_checked(16)
        .filter(|(_, low)| low.len() == 16)
        .and_then(|(high, low)| Some(u128::from(half(high)?) << 64 | u128::from(half(low)?)))
        .ok_or(InvalidId("an id is 32 lower-case hexadecimal digits"))
}

macro_rules! random_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        // Aligned like a pointer: there are millions in memory, and at sixteen bytes an optional one would take 32.
        #[repr(Rust, packed(8))]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u128);

        impl $name {
            pub fn random() -> Self {
                Self(u128::from_be_bytes(random_bytes()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", { self.0 })
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:032x})"), { self.0 })
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

random_id! {
    /// A cart. Whoever knows a guest cart's id has the cart.
    CartId;
    /// A shopper's account.
    UserId;
    /// An order, and the checkout that places it: one decision, one id.
    OrderId;
    /// A hold on some units of one SKU.
    HoldId;
    /// A signed-in session.
    SessionId;
    /// A shipping address of an account.
    AddressId;
    /// One start of one process: the owner of a journal.
    IncarnationId;
}

impl HoldId {
    /// A checkout has at most one hold on each SKU, and it bears the order's id.
    pub const fn of_checkout(order: OrderId) -> Self {
        Self(order.0)
    }
}

macro_rules! shop_word {
    ($($(#[$doc:meta])* $name:ident, $max:expr, $rule:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
                if text.is_empty() || text.len() > $max || !text.bytes().all(allowed) {
                    return Err(InvalidId($rule));
                }
                Ok(Self(text.into()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

shop_word! {
    /// A stock keeping unit: what is counted, priced and sold. Shared text: a clone costs a counter.
    Sku, limits::SKU_BYTES, "a SKU is 1 to 64 of A-Z a-z 0-9 . _ -";
    /// A product of the catalogue; its variants are the SKUs.
    ProductId, limits::SKU_BYTES, "a product id is 1 to 64 of A-Z a-z 0-9 . _ -";
}

/// Words that an address cannot end with: clients take dots out of it, and these stand for something else there.
const RESERVED: [&str; 3] = [".", "..", "import"];

/// Whether what is named so can be asked for at its address. What exists already may be named so.
pub fn is_reachable(word: &str) -> bool {
    !RESERVED.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let id = CartId(0x0123);
        assert_eq!(id.to_string(), "00000000000000000000000000000123");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn other_spellings_of_an_id_are_refused() {
        for text in [
            "",
            "123",
            "0000000000000000000000000000012G",
            "0000000000000000000000000000012A",
            "+0000000000000000000000000000123",
        ] {
            assert!(text.parse::<CartId>().is_err(), "{text}");
        }
    }

    #[test]
    fn derivation_separates_its_parts() {
        let secret = IdSecret::new([7; 32]);
        assert_eq!(secret.derive("cart", &[b"ab", b"c"]), secret.derive("cart", &[b"ab", b"c"]));
        assert_ne!(secret.derive("cart", &[b"ab", b"c"]), secret.derive("cart", &[b"a", b"bc"]));
        assert_ne!(secret.derive("cart", &[b"ab"]), secret.derive("hold", &[b"ab"]));
    }

    #[test]
    fn a_sku_is_a_short_word() {
        assert!("85123A".parse::<Sku>().is_ok());
        for text in ["", "BANK CHARGES", "naïve", &"x".repeat(65)] {
            assert!(text.parse::<Sku>().is_err(), "{text}");
        }
    }
}
