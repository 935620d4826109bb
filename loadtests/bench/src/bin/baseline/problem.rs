//! What goes wrong, as a status and a few words.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

#[derive(Debug)]
pub(crate) enum Problem {
    NotFound,
    UnknownSku,
    KeyMissing,
    CartEmpty,
    PriceChanged,
    InsufficientStock,
    Database(sqlx::Error),
    Redis(redis::RedisError),
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<redis::RedisError> for Problem {
    fn from(error: redis::RedisError) -> Self {
        Self::Redis(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::UnknownSku => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_sku"),
            Self::KeyMissing => (StatusCode::BAD_REQUEST, "idempotency_key_missing"),
            Self::CartEmpty => (StatusCode::UNPROCESSABLE_ENTITY, "cart_empty"),
            Self::PriceChanged => (StatusCode::CONFLICT, "price_changed"),
            Self::InsufficientStock => (StatusCode::CONFLICT, "insufficient_stock"),
            Self::Database(_) => (StatusCode::SERVICE_UNAVAILABLE, "database"),
            Self::Redis(_) => (StatusCode::SERVICE_UNAVAILABLE, "redis"),
        };
        let detail = match self {
            Self::Database(error) => error.to_string(),
            Self::Redis(error) => error.to_string(),
            _ => String::new(),
        };
        let body = json!({ "status": status.as_u16(), "code": code, "detail": detail }).to_string();
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}
