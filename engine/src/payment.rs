//! Where the money comes from.

use async_trait::async_trait;

use smartcart_domain::{
    failure::Failure,
    id::OrderId,
    money::Money,
    payment::{Authorization, PaymentMethod},
};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaymentError {
    #[error("declined: {0}")]
    Declined(String),
    /// Ask again with the same order.
    #[error("the payment gateway failed: {0}")]
    Failed(#[from] Failure),
}

/// Where the money comes from. Every call is idempotent by the order's id: a step may be repeated after a crash. A call that
/// takes too long is given up and may still arrive: so a void must be final, and a capture or an authorisation that comes
/// after it must do nothing.
#[async_trait]
pub trait PaymentGateway: Send + Sync + 'static {
    async fn authorize(
        &self,
        order: OrderId,
        total: Money,
        by: &PaymentMethod,
    ) -> Result<Authorization, PaymentError>;
    async fn capture(&self, order: OrderId, authorization: &Authorization) -> Result<(), PaymentError>;
    /// Gives back what was authorised, or what was captured already.
    async fn void(&self, order: OrderId) -> Result<(), PaymentError>;
}

/// Payment on invoice: the goods go out, the bill follows. Nothing to authorise.
#[derive(Debug, Default, Clone, Copy)]
pub struct InvoiceGateway;

#[async_trait]
impl PaymentGateway for InvoiceGateway {
    async fn authorize(
        &self,
        order: OrderId,
        _: Money,
        by: &PaymentMethod,
    ) -> Result<Authorization, PaymentError> {
        if by.method != "invoice" {
            return Err(PaymentError::Declined(format!(
                "this shop takes 'invoice' only, not '{}'",
                by.method
            )));
        }
        Ok(Authorization { method: "invoice".to_owned(), reference: order.to_string() })
    }

    async fn capture(&self, _: OrderId, _: &Authorization) -> Result<(), PaymentError> {
        Ok(())
    }

    async fn void(&self, _: OrderId) -> Result<(), PaymentError> {
        Ok(())
    }
}
