use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Deserializer, de::Error as _};
use smartcart_domain::{
    id::CartId, idempotency::Caller, money::Money, orders::CheckoutDetails, payment::PaymentMethod,
    request::CheckoutRequest,
};
use utoipa::ToSchema;

use crate::{
    app_state::AppState,
    extract::{Change, Json, JsonObject, PathId},
    json,
    problem::{Code, Problem},
    reply::{Durability, Reply},
    routes::users::{account, email_address, must_be_short},
    views::{MoneyView, OrderView},
};

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Checkout {
    /// Required of a guest; defaults to the account's.
    #[schema(example = "ada@example.com")]
    email: Option<String>,
    /// The storefront's own JSON object, up to 4 KiB.
    shipping_address: Option<JsonObject>,
    /// On invoice when not said.
    payment: Option<PaymentBody>,
    /// What the shopper agrees to pay. Without it, the prices must be those in the cart.
    #[schema(value_type = Option<MoneyView>)]
    expected_total: Option<Money>,
    /// The name of an earlier version, for any price whatever.
    #[serde(default, deserialize_with = "replaced")]
    #[schema(ignore)]
    #[expect(dead_code, reason = "whoever sends it is told the new name")]
    accept_changes: (),
}

fn replaced<'de, D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    Err(D::Error::custom("it was replaced by `expected_total`: the total that the shopper agrees to"))
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
        (status = 409, description = "`price_changed` with `changes` and `total`, `product_unavailable` with `skus`, \
            `insufficient_stock` with `items`, or `cart_ordered` with `order_id`"),
        (status = 422, description = "`cart_empty`"),
        (status = 503, description = "`payment_unavailable`: nothing was bought, and the same key may try again"),
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
        expected_total: body.expected_total,
        payment: payment(body.payment)?,
        details: CheckoutDetails {
            email: email(&state, caller, body.email).await?,
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

/// Somebody must be there to be answered. A service knows its own customers.
async fn email(state: &AppState, caller: Caller, given: Option<String>) -> Result<Option<String>, Problem> {
    match (given, caller) {
        (Some(given), _) => email_address(given).map(Some),
        (None, Caller::User(user)) => Ok(Some(account(state, user).await?.email)),
        (None, Caller::Service | Caller::Engine) => Ok(None),
        (None, Caller::Guest) => {
            let detail = "email: whoever orders as a guest gives an address to be answered at";
            Err(Problem::new(Code::InvalidField, detail).with("field", "email"))
        }
    }
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
