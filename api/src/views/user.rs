use serde::Serialize;
use serde_json::value::RawValue;
use smartcart_domain::{
    id::{AddressId, UserId},
    users::{Address, User},
};
use utoipa::ToSchema;

use super::{json_object::json_object, time::Rfc3339};

/// A shopper's account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView<'a> {
    #[schema(value_type = String)]
    id: UserId,
    version: u64,
    email: &'a str,
    name: &'a str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Rfc3339,
}

/// What signing in or refreshing gives.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tokens)]
pub struct TokensView<'a> {
    /// For `Authorization: Bearer`.
    pub access_token: &'a str,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
    /// Good for one refresh; it gives the next one.
    pub refresh_token: &'a str,
    pub user: UserView<'a>,
}

/// A shipping address: the storefront's own JSON object.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Address)]
pub struct AddressView<'a> {
    #[schema(value_type = String)]
    id: AddressId,
    version: u64,
    #[schema(value_type = Object)]
    address: &'a RawValue,
}

impl<'a> UserView<'a> {
    pub fn new(user: &'a User) -> Self {
        // By name, so that a new field is shown or left out on purpose.
        let User { id, version, email, name, password_hash: _, created_at } = user;
        Self { id: *id, version: *version, email, name, created_at: Rfc3339(*created_at) }
    }
}

impl<'a> AddressView<'a> {
    pub fn new(address: &'a Address) -> Self {
        let Address { id, user: _, version, body } = address;
        Self { id: *id, version: *version, address: json_object(Some(body)) }
    }
}
