use std::time::Duration;

use smartcart_domain::limits::Limits;
use smartcart_engine::{
    admission::AdmissionConfig, checkout::CheckoutConfig, commit::WriteBehindConfig,
    directory::ResidencyConfig, engine::Config,
};

use super::setting::{ConfigError, positive, settings};

settings! {
    /// Memory, shedding, and the pace of the tables.
    EngineSettings {
        /// Requests accepted and not answered; more are shed [8192]
        max_in_flight: usize = "SMARTCART_MAX_IN_FLIGHT",
        /// Of them for one cart [32]
        max_in_flight_per_cart: u32 = "SMARTCART_MAX_IN_FLIGHT_PER_CART",
        /// Of them for one SKU [4096]
        max_in_flight_per_sku: u32 = "SMARTCART_MAX_IN_FLIGHT_PER_SKU",
        /// Milliseconds after which a waiting change is not begun any more [5000]
        change_deadline_ms: u64 = "SMARTCART_CHANGE_DEADLINE_MS",
        /// Milliseconds after which a checkout without every hold and the payment's promise is given up [6000]
        checkout_deadline_ms: u64 = "SMARTCART_CHECKOUT_DEADLINE_MS",
        /// Milliseconds of one call of the payment gateway [4000]
        payment_timeout_ms: u64 = "SMARTCART_PAYMENT_TIMEOUT_MS",
        /// MiB for carts in memory, and as much again for stock [1024]
        memory_mib: usize = "SMARTCART_MEMORY_MIB",
        /// Seconds without work after which an actor is passivated [10]
        passivate_after_seconds: u64 = "SMARTCART_PASSIVATE_AFTER_SECONDS",
        /// Seconds without an actor after which a cart or stock is evicted from memory [1800]
        evict_after_seconds: u64 = "SMARTCART_EVICT_AFTER_SECONDS",
        /// Milliseconds between two flushes to the tables [1000]
        flush_interval_ms: u64 = "SMARTCART_FLUSH_INTERVAL_MS",
        /// Rows of one flush's transaction [512]
        flush_rows: usize = "SMARTCART_FLUSH_ROWS",
        /// Carts and stocks that may wait for the tables; beyond, new work is shed [500000]
        max_backlog: usize = "SMARTCART_MAX_BACKLOG",
        /// MiB that may wait for the tables; at 70 % guests' changes are refused, at 80 % all [512]
        max_backlog_mib: u64 = "SMARTCART_MAX_BACKLOG_MIB",
    }
}

impl EngineSettings {
    pub fn build(self, limits: Limits) -> Result<Config, ConfigError> {
        let millis = |setting, value: Option<u64>, default: Duration| match value {
            Some(value) => positive(setting, value).map(Duration::from_millis),
            None => Ok(default),
        };
        let seconds = |setting, value: Option<u64>, default| {
            millis(setting, value.map(|seconds| seconds.saturating_mul(1000)), default)
        };
        let (admission, residency, tables) =
            (AdmissionConfig::default(), ResidencyConfig::default(), WriteBehindConfig::default());
        let checkout = CheckoutConfig::default();
        Ok(Config {
            limits,
            admission: AdmissionConfig {
                in_flight: positive("max_in_flight", self.max_in_flight.unwrap_or(admission.in_flight))?,
                per_cart: positive(
                    "max_in_flight_per_cart",
                    self.max_in_flight_per_cart.unwrap_or(admission.per_cart),
                )?,
                per_stock: positive(
                    "max_in_flight_per_sku",
                    self.max_in_flight_per_sku.unwrap_or(admission.per_stock),
                )?,
                deadline: millis("change_deadline_ms", self.change_deadline_ms, admission.deadline)?,
            },
            checkout: CheckoutConfig {
                decide_within: millis(
                    "checkout_deadline_ms",
                    self.checkout_deadline_ms,
                    checkout.decide_within,
                )?,
                payment_timeout: millis(
                    "payment_timeout_ms",
                    self.payment_timeout_ms,
                    checkout.payment_timeout,
                )?,
            },
            residency: ResidencyConfig {
                passivate_after: seconds(
                    "passivate_after_seconds",
                    self.passivate_after_seconds,
                    residency.passivate_after,
                )?,
                evict_after: seconds("evict_after_seconds", self.evict_after_seconds, residency.evict_after)?,
                budget: match self.memory_mib {
                    Some(mib) => positive("memory_mib", mib)?.saturating_mul(1 << 20),
                    None => residency.budget,
                },
                ..residency
            },
            write_behind: WriteBehindConfig {
                interval: millis("flush_interval_ms", self.flush_interval_ms, tables.interval)?,
                slice: positive("flush_rows", self.flush_rows.unwrap_or(tables.slice))?,
                backlog: positive("max_backlog", self.max_backlog.unwrap_or(tables.backlog))?,
                memory: match self.max_backlog_mib {
                    Some(mib) => positive("max_backlog_mib", mib)?.saturating_mul(1 << 20),
                    None => tables.memory,
                },
            },
        })
    }
}
