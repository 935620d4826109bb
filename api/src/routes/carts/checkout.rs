use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{
    id::CartId, orders::CheckoutDetails, payment::PaymentMethod, request::CheckoutRequest,
};
use utoipa::ToSchema;

use crate::{
    app_state::AppState,
    extract::{Change, Json, JsonObject, PathId},
    json,
    problem::{Code, Problem},
    reply::{Durability, Reply},
    routes::users::{email_address, must_be_short},
    views::OrderView,
};

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkout {
    #[schema(example = "ada@example.com")]
    email: Option<String>,
    /// The storefront's own JSON object, up to 4 KiB.
    shipping_address: Option<JsonObject>,
    /// On invoice when not said.
    payment: Option<PaymentBody>,
    /// Buy at today's prices even where they are not those in the cart.
    #[serde(default)]
    accept_changes: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PaymentMethod)]
pub struct PaymentBody {
    #[schema(example = "invoice")]
    method: String,
    /// What the payment gateway gave the storefront.
    token: Option<String>,
}

/// Check out
///
/// Needs an `Idempotency-Key`: a checkout is done once, however often it is asked for.
#[utoipa::path(
    post, path = "/v1/carts/{id}/checkout", tag = "carts", operation_id = "check_out",
    params(("id" = String, Path, description = "The cart's id")),
    request_body(content = Option<Checkout>),
    responses(
        (status = 201, description = "The order", body = OrderView),
        (status = 402, description = "`payment_declined`"),
        (status = 409, description = "`price_changed` with `changes`, or `insufficient_stock` with `items`"),
        (status = 422, description = "`cart_empty`"),
    ),
)]
pub async fn check_out(
    State(state): State<Arc<AppState>>,
    PathId(cart): PathId<CartId>,
    change: Change<Option<Json<Checkout>>>,
) -> Result<Reply, Problem> {
    let key = change.fingerprint().ok_or_else(|| Problem::plain(Code::IdempotencyKeyRequired))?;
    let (caller, expected) = (change.caller(), change.expected);
    let body = change.body.map(|Json(body)| body).unwrap_or_default();
    let request = CheckoutRequest {
        cart,
        caller,
        key,
        expected,
        accept_changes: body.accept_changes,
        payment: payment(body.payment)?,
        details: CheckoutDetails {
            email: body.email.map(email_address).transpose()?,
            shipping_address: body.shipping_address.map(address).transpose()?,
            metadata: None,
        },
    };
    let ordered = state.engine.checkout(request).await;
    let ordered = ordered.map_err(|refusal| Problem::from(refusal).told_to(caller, state.disclosure))?;
    let json = json::encode(&OrderView::new(&ordered.order));
    Ok(Reply::created(json, format!("/v1/orders/{}", ordered.order.id))
        .version(ordered.order.version)
        .durable(Durability::Committed, ordered.replayed))
}

fn payment(body: Option<PaymentBody>) -> Result<PaymentMethod, Problem> {
    let Some(PaymentBody { method, token }) = body else {
        return Ok(PaymentMethod { method: "invoice".to_owned(), token: None });
    };
    must_be_short("payment.method", &method, 64)?;
    if let Some(token) = &token {
        must_be_short("payment.token", token, 1024)?;
    }
    Ok(PaymentMethod { method, token })
}

fn address(address: JsonObject) -> Result<String, Problem> {
    must_be_short("shipping_address", address.text(), 4096)?;
    Ok(address.into_text().into())
}
