//! How an order is paid.

/// How the shopper pays: the gateway's own word, with the token it gave the storefront.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentMethod {
    /// `invoice`, or a name the gateway knows.
    pub method: String,
    pub token: Option<String>,
}

/// A gateway's promise of the money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    pub method: String,
    /// The gateway's reference.
    pub reference: String,
}
