//! Money: integer minor units of an ISO 4217 currency. Every sum is checked.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::limits;

/// The active codes of ISO 4217, without funds, metals and test codes.
const ISO_4217: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF \
CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR \
IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK \
MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD \
SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// A currency's three letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a currency is one of ISO 4217's three-letter codes, in capitals")]
pub struct InvalidCurrency;

impl Currency {
    /// ISO 4217's code for 'no currency'; never read from outside.
    pub(crate) const UNSET: Self = Self(*b"XXX");

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;
    fn from_str(text: &str) -> Result<Self, InvalidCurrency> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| InvalidCurrency)?;
        ISO_4217.split(' ').any(|known| known == text).then_some(Self(code)).ok_or(InvalidCurrency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount in minor units: `1999 USD` is 19.99 dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    pub amount: i64,
    pub currency: Currency,
}

impl Money {
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }
}

/// The sum in minor units, or nothing when a part is nothing or the sum is more than is ever charged.
pub fn sum(amounts: impl IntoIterator<Item = Option<i64>>) -> Option<i64> {
    let sum = amounts.into_iter().try_fold(0_i64, |sum, amount| sum.checked_add(amount?));
    sum.filter(|sum| *sum <= limits::MAX_AMOUNT)
}

/// `price * quantity` in minor units, or nothing when it does not fit.
pub fn line_total(unit_price: i64, quantity: u32) -> Option<i64> {
    unit_price.checked_mul(i64::from(quantity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_currencies_are_read() {
        assert_eq!("GBP".parse::<Currency>().map(|c| c.to_string()), Ok("GBP".to_owned()));
        for text in ["", "gbp", "XXX", "GB", "GBPP", "A B", "ED "] {
            assert_eq!(text.parse::<Currency>(), Err(InvalidCurrency), "{text}");
        }
    }

    #[test]
    fn a_sum_that_json_readers_would_round_is_nothing() {
        let most = limits::MAX_AMOUNT;
        assert_eq!(sum([Some(most - 1), Some(1)]), Some(most));
        assert_eq!(sum([Some(most), Some(1)]), None);
        assert_eq!(sum([Some(i64::MAX), Some(i64::MAX)]), None);
        assert_eq!(sum([Some(1), None]), None);
    }

    #[test]
    fn a_total_that_does_not_fit_is_nothing() {
        assert_eq!(line_total(250, 4), Some(1000));
        assert_eq!(line_total(i64::MAX, 2), None);
    }
}
