use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use smartcart_domain::{
    cart::{BatchMode, CartCommand, Operation, OperationKind},
    catalog::Catalog,
    id::CartId,
    idempotency::{OperationOutcome, Outcome},
    limits::MAX_BATCH_OPERATIONS,
};
use utoipa::ToSchema;

use super::ask;
use crate::{
    app_state::AppState,
    extract::{Change, Json, PathId, SkuText},
    json,
    problem::{Code, FieldCode, FieldError, Problem, all},
    reply::{Durability, Reply},
    views::CartView,
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    mode: Mode,
    /// 1 to 200, done in this order.
    operations: Vec<OperationBody>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BatchMode)]
pub enum Mode {
    /// All or nothing.
    Atomic,
    /// What can be done is done.
    BestEffort,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BatchOperation)]
pub struct OperationBody {
    op: Op,
    sku: SkuText,
    /// Of `add` and `set`; not of `remove`.
    quantity: Option<u32>,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BatchOperationKind)]
pub enum Op {
    Add,
    Set,
    Remove,
}

/// The cart after the batch, and how each operation went, in their order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchResult)]
pub struct BatchView<'a> {
    cart: CartView<'a>,
    results: Vec<ResultView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchOperationResult)]
pub struct ResultView {
    applied: bool,
    /// Why not, when it was not applied.
    #[schema(value_type = Option<String>)]
    code: Option<&'static str>,
}

/// Change several lines at once
///
/// One version, one commit.
#[utoipa::path(
    post, path = "/v1/carts/{id}/batch", tag = "carts", operation_id = "change_cart_in_batch",
    params(("id" = String, Path, description = "The cart's id")),
    request_body = Batch,
    responses((status = 200, description = "The cart and each operation's result", body = BatchView)),
)]
pub async fn batch(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<CartId>,
    change: Change<Json<Batch>>,
) -> Result<Reply, Problem> {
    let catalog = state.engine.catalog();
    let command = change.body.0.command(&catalog)?;
    let answer = ask(&state, id, &change, command).await?;
    let results = match &answer.outcome {
        Outcome::Batch(outcomes) => outcomes.iter().map(ResultView::new).collect(),
        other => return Err(Problem::internal(&format_args!("a batch ended as {other:?}"))),
    };
    let cart = answer.published.view();
    let cart_view = CartView::new(cart, &catalog, state.engine.clock().wall());
    let rendition = cart_view.rendition();
    Ok(Reply::ok(json::encode(&BatchView { cart: cart_view, results }))
        .rendition(cart.version, rendition)
        .durable(Durability::Journaled, answer.replayed))
}

impl Batch {
    fn command(&self, catalog: &Arc<Catalog>) -> Result<CartCommand, Problem> {
        if !(1..=MAX_BATCH_OPERATIONS).contains(&self.operations.len()) {
            return Err(Problem::new(
                Code::TooManyOperations,
                format!("a batch has 1 to {MAX_BATCH_OPERATIONS} operations"),
            )
            .with("limit", MAX_BATCH_OPERATIONS));
        }
        let operations = self.operations.iter().enumerate();
        Ok(CartCommand::Batch {
            mode: match self.mode {
                Mode::Atomic => BatchMode::Atomic,
                Mode::BestEffort => BatchMode::BestEffort,
            },
            operations: all(operations.map(|(index, operation)| operation.read(index, catalog)))?,
            catalog: catalog.clone(),
        })
    }
}

impl OperationBody {
    fn read(&self, index: usize, catalog: &Catalog) -> Result<Operation, Problem> {
        let (kind, quantity) = match (self.op, self.quantity) {
            (Op::Add, Some(quantity)) => (OperationKind::Add, quantity),
            (Op::Set, Some(quantity)) => (OperationKind::Set, quantity),
            (Op::Remove, None) => (OperationKind::Remove, 0),
            (Op::Add | Op::Set, None) => {
                return Err(invalid(index, "add and set have a quantity"));
            }
            (Op::Remove, Some(_)) => return Err(invalid(index, "remove has no quantity")),
        };
        let sku = self
            .sku
            .resolve(catalog)
            .map_err(|problem| problem.with("operation", index).within(&format!("/operations/{index}")))?;
        Ok(Operation { kind, sku, quantity })
    }
}

fn invalid(index: usize, reason: &str) -> Problem {
    let error = FieldError::new(format!("/operations/{index}/quantity"), FieldCode::Invalid, reason);
    Problem::new(Code::InvalidBody, format!("operations[{index}].quantity: {reason}"))
        .with("operation", index)
        .at(error)
}

impl ResultView {
    const fn new(outcome: &OperationOutcome) -> Self {
        let code = match outcome {
            OperationOutcome::Applied => return Self { applied: true, code: None },
            OperationOutcome::CartFull => Code::CartFull,
            OperationOutcome::QuantityTooLarge => Code::QuantityOutOfRange,
            OperationOutcome::ItemNotFound => Code::ItemNotFound,
            OperationOutcome::UnknownSku => Code::UnknownSku,
            OperationOutcome::NoPrice => Code::NoPrice,
        };
        Self { applied: false, code: Some(code.as_str()) }
    }
}
