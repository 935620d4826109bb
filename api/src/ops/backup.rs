//! A copy of a running embedded shop: its files are locked, so the process itself makes it.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::opened::Opened;

pub(super) async fn make(Opened { engine, embedded, backups, .. }: &Opened) -> Response {
    let Some(embedded) = embedded.clone() else {
        let why = "a fleet's shop is in PostgreSQL: back that up\n";
        return (StatusCode::CONFLICT, why).into_response();
    };
    let folder = backups.join(engine.clock().wall().0.to_string());
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
