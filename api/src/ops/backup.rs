//! A copy of a running embedded shop: its files are locked, so the process itself makes it.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{Opened, Ops, is_cross_site};

/// 201 `{folder}`: the folder, on this machine, that has the copy. It has everything that was acknowledged before.
pub(super) async fn make(State(ops): State<Arc<Ops>>, headers: HeaderMap) -> Response {
    if is_cross_site(&headers) {
        return (StatusCode::FORBIDDEN, "not from another site's page\n").into_response();
    }
    let Some(Opened { engine, embedded, backups }) = ops.opened.get() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response();
    };
    let Some(embedded) = embedded.clone() else {
        let why = "a fleet's shop is in PostgreSQL: back that up\n";
        return (StatusCode::CONFLICT, why).into_response();
    };
    let folder = backups.join(format!("{}", engine.clock().wall().0));
    // It goes on when the operator has gone.
    let copied = tokio::spawn({
        let folder = folder.clone();
        async move { embedded.backup(&folder).await }
    });
    match copied.await {
        Ok(Ok(())) => {
            tracing::info!(folder = %folder.display(), "made a backup");
            (StatusCode::CREATED, Json(json!({ "folder": folder }))).into_response()
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the backup failed");
            (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
