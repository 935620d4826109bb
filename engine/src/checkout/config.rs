use std::time::Duration;

/// How long a checkout waits for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckoutConfig {
    /// Without every hold and the payment's authorisation by then, it is given up.
    pub decide_within: Duration,
    /// Of one call of the payment gateway.
    pub payment_timeout: Duration,
}

impl Default for CheckoutConfig {
    fn default() -> Self {
        Self { decide_within: Duration::from_secs(6), payment_timeout: Duration::from_secs(4) }
    }
}
