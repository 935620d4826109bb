use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use smartcart_domain::{
    id::{AddressId, UserId},
    users::Address,
};
use smartcart_engine::store::StoreError;
use utoipa::ToSchema;

use super::{must_be_at, must_be_short, table_key};
use crate::{
    app_state::AppState,
    auth::Identity,
    etag::KnownVersions,
    extract::{Change, Json, JsonObject, Nothing, PathId, Shopper},
    json,
    problem::{Code, FieldCode, Problem},
    reply::{Durability, Reply},
    views::{AddressView, ListView},
};

const MAX_ADDRESSES: usize = 50;
const ADDRESS_CHARACTERS: usize = 4096;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddressBody {
    /// The storefront's own JSON object, up to 4,096 characters.
    address: JsonObject,
}

/// List one's addresses
#[utoipa::path(
    get, path = "/v1/users/me/addresses", tag = "users", operation_id = "list_addresses",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "All of them", body = ListView<AddressView>),
        (status = 304, description = "As you have it"),
    ),
)]
pub async fn list_addresses(
    State(state): State<Arc<AppState>>,
    identity: Identity,
    known: KnownVersions,
) -> Result<Reply, Problem> {
    let addresses = state.engine.store().addresses(identity.shopper()?).await?;
    let items = addresses.iter().map(AddressView::new).collect();
    Ok(Reply::read_content(&known, json::encode(&ListView { items, next_cursor: None })))
}

/// Add an address
#[utoipa::path(
    post, path = "/v1/users/me/addresses", tag = "users", operation_id = "create_address",
    security(("bearer" = [])),
    request_body = AddressBody,
    responses((status = 201, description = "The address", body = AddressView)),
)]
pub async fn create_address(
    State(state): State<Arc<AppState>>,
    change: Change<Json<AddressBody>, Shopper>,
) -> Result<Reply, Problem> {
    let user = change.identity.shopper()?;
    let key = table_key(&state, change.fingerprint());
    let id = match &change.key {
        Some(key) => AddressId(key.derive(state.engine.secret(), "address", change.caller())?),
        None => AddressId::random(),
    };
    let known = state.engine.store().addresses(user).await?;
    if known.len() >= MAX_ADDRESSES && known.iter().all(|address| address.id != id) {
        let detail = format!("an account has at most {MAX_ADDRESSES}");
        return Err(Problem::invalid("address", FieldCode::TooLong, detail));
    }
    let address = Address { id, user, version: 1, body: text(change.body)? };
    let written = state.engine.store().put_address(&address, key).await?;
    Ok(Reply::created(
        json::encode(&AddressView::new(&written.value)),
        format!("/v1/users/me/addresses/{}", written.value.id),
    )
    .version(written.value.version)
    .durable(Durability::Committed, written.replayed))
}

/// Change an address
#[utoipa::path(
    put, path = "/v1/users/me/addresses/{id}", tag = "users", operation_id = "put_address",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The address's id")),
    request_body = AddressBody,
    responses((status = 200, description = "The address", body = AddressView)),
)]
pub async fn put_address(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<AddressId>,
    change: Change<Json<AddressBody>, Shopper>,
) -> Result<Reply, Problem> {
    let shopper = change.identity.shopper()?;
    let key = table_key(&state, change.fingerprint());
    let body = text(change.body)?;
    let written = loop {
        let known = find(&state, shopper, id).await?;
        if key.is_none() {
            must_be_at(change.expected, known.version)?;
        }
        let version = change.expected.unwrap_or(known.version).saturating_add(1);
        let next = Address { version, body: body.clone(), ..known };
        match state.engine.store().put_address(&next, key).await {
            // Somebody was faster, and this client has named no version: it goes on from there.
            Err(StoreError::Stale { .. }) if change.expected.is_none() => {}
            written => break written?,
        }
    };
    Ok(Reply::ok(json::encode(&AddressView::new(&written.value)))
        .version(written.value.version)
        .durable(Durability::Committed, written.replayed))
}

/// Remove an address
#[utoipa::path(
    delete, path = "/v1/users/me/addresses/{id}", tag = "users", operation_id = "delete_address",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The address's id")),
    responses((status = 204, description = "Removed")),
)]
pub async fn delete_address(
    State(state): State<Arc<AppState>>,
    PathId(id): PathId<AddressId>,
    change: Change<Nothing, Shopper>,
) -> Result<Reply, Problem> {
    let user = change.identity.shopper()?;
    if change.expected.is_some() {
        must_be_at(change.expected, find(&state, user, id).await?.version)?;
    }
    match state.engine.store().delete_address(user, id, table_key(&state, change.fingerprint())).await {
        Ok(written) => Ok(Reply::no_content().durable(Durability::Committed, written.replayed)),
        Err(StoreError::NotFound) => Err(Problem::plain(Code::AddressNotFound)),
        Err(error) => Err(error.into()),
    }
}

async fn find(state: &AppState, user: UserId, id: AddressId) -> Result<Address, Problem> {
    let addresses = state.engine.store().addresses(user).await?;
    addresses
        .into_iter()
        .find(|address| address.id == id)
        .ok_or_else(|| Problem::plain(Code::AddressNotFound))
}

fn text(Json(body): Json<AddressBody>) -> Result<String, Problem> {
    must_be_short("address", body.address.text(), ADDRESS_CHARACTERS)?;
    Ok(body.address.into_text().into())
}
