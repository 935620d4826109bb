use serde::Deserialize;
use smartcart_domain::{limits::Limits, money::Currency, time::Seconds};

use super::{
    setting::{ConfigError, positive, settings},
    storage::StorageConfig,
};
use crate::disclosure::Disclosure;

settings! {
    /// The shop's own rules.
    ShopSettings {
        /// Of a cart whose creator named no currency: ISO 4217 [GBP]
        currency: Currency = "SMARTCART_CURRENCY",
        /// Fill an empty catalogue with the demo shop: demo or none [demo, unless a database is set]
        seed: Seed = "SMARTCART_SEED",
        /// Lines of one cart [100]
        max_cart_lines: usize = "SMARTCART_MAX_CART_LINES",
        /// Units of one line [999]
        max_line_quantity: u32 = "SMARTCART_MAX_LINE_QUANTITY",
        /// Characters of a cart's metadata [4096]
        max_metadata_characters: usize = "SMARTCART_MAX_METADATA_CHARACTERS",
        /// Units of a SKU: where there are more, everybody but the shop itself is told so many [10]
        show_available_up_to: u32 = "SMARTCART_SHOW_AVAILABLE_UP_TO",
        /// Units at which a SKU is said to be low [5]
        low_stock_units: u32 = "SMARTCART_LOW_STOCK_UNITS",
        /// Days after which an untouched cart expires [30]
        cart_lifetime_days: u64 = "SMARTCART_CART_LIFETIME_DAYS",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Seed {
    Demo,
    None,
}

#[derive(Debug, Clone, Copy)]
pub struct ShopConfig {
    pub currency: Currency,
    pub seed: Seed,
    pub limits: Limits,
    pub disclosure: Disclosure,
}

const DAY: u64 = 24 * 60 * 60;

fn lifetime(days: u64) -> Result<Seconds, ConfigError> {
    let seconds = u32::try_from(days.saturating_mul(DAY));
    seconds.map(Seconds).map_err(|_| ConfigError::value("cart_lifetime_days", "it is at most 49710"))
}

impl ShopSettings {
    pub fn build(self, storage: &StorageConfig) -> Result<ShopConfig, ConfigError> {
        let defaults = Limits::default();
        let currency = match self.currency {
            Some(currency) => currency,
            None => "GBP".parse().map_err(|error| ConfigError::value("currency", format!("{error}")))?,
        };
        let limits = Limits {
            cart_lines: positive("max_cart_lines", self.max_cart_lines.unwrap_or(defaults.cart_lines))?,
            line_quantity: positive(
                "max_line_quantity",
                self.max_line_quantity.unwrap_or(defaults.line_quantity),
            )?,
            metadata_characters: self.max_metadata_characters.unwrap_or(defaults.metadata_characters),
            cart_lifetime: match self.cart_lifetime_days {
                Some(days) => lifetime(positive("cart_lifetime_days", days)?)?,
                None => defaults.cart_lifetime,
            },
        };
        let disclosure = Disclosure {
            up_to: self.show_available_up_to.unwrap_or(10).into(),
            low: self.low_stock_units.unwrap_or(5).into(),
        };
        let by_itself = if storage.is_default { Seed::Demo } else { Seed::None };
        Ok(ShopConfig { currency, seed: self.seed.unwrap_or(by_itself), limits, disclosure })
    }
}
