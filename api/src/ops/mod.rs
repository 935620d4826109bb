//! The operator's listener, on a port of its own: probes, metrics, the console and what it shows.

mod backup;
mod opened;

use std::sync::{Arc, OnceLock};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Deserialize;
use serde_json::json;
use smartcart_domain::{limits::SHARDS, shard::ShardId};
use smartcart_engine::{engine::Engine, membership::HandoverError};
use tokio::sync::watch;

pub use opened::Opened;

/// Prometheus' text format.
const METRICS_TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// State of the operator's listener. It exists before the engine, so that recovery can be watched.
#[derive(Debug)]
pub struct Ops {
    metrics: PrometheusHandle,
    opened: OnceLock<Opened>,
    /// Set by a signal or by `drain`.
    draining: watch::Sender<bool>,
}

impl Ops {
    pub fn new(metrics: PrometheusHandle) -> Self {
        Self { metrics, opened: OnceLock::new(), draining: watch::Sender::new(false) }
    }

    /// The service is open: ready from now on.
    pub fn opened(&self, opened: Opened) {
        if self.opened.set(opened).is_err() {
            tracing::error!("the ops listener was given a second engine; keeping the first");
        }
    }

    fn engine(&self) -> Option<&Arc<Engine>> {
        self.opened.get().map(|opened| &opened.engine)
    }

    /// Not ready from now on; wakes those who wait for `drained`.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    pub async fn drained(&self) {
        let mut draining = self.draining.subscribe();
        // The sender lives as long as we do.
        let _closed = draining.wait_for(|draining| *draining).await;
    }

    /// Why this process is not ready, if it is not.
    fn not_ready(&self) -> Option<String> {
        if *self.draining.borrow() {
            return Some("draining".to_owned());
        }
        match self.engine() {
            None => Some("starting".to_owned()),
            Some(engine) => engine.not_ready(),
        }
    }
}

pub fn router(ops: Arc<Ops>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/ops", get(async || Html(include_str!("console.html"))))
        .route("/ops/api/status", get(status))
        .route("/ops/api/shards", get(shards))
        .route("/ops/api/hot-keys", get(hot_keys))
        .route("/ops/api/drain", post(drain))
        .route("/ops/api/shards/{shard}/move", post(move_shard))
        .route("/ops/api/backup", post(back_up))
        .with_state(ops)
}

async fn readyz(State(ops): State<Arc<Ops>>) -> (StatusCode, String) {
    match ops.not_ready() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn metrics(State(ops): State<Arc<Ops>>) -> Response {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], ops.metrics.render()).into_response()
}

async fn status(State(ops): State<Arc<Ops>>) -> Response {
    let not_ready = ops.not_ready();
    let engine = ops.engine().map(|engine| engine.status());
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "ready": not_ready.is_none(),
        "not_ready_reason": not_ready,
        "engine": engine,
        "changes_under_way": ops.opened.get().map_or(0, |opened| opened.changes.under_way()),
    }))
    .into_response()
}

async fn shards(State(ops): State<Arc<Ops>>) -> Response {
    let shards = ops.engine().map(|engine| engine.shards()).unwrap_or_default();
    Json(json!({ "items": shards })).into_response()
}

async fn hot_keys(State(ops): State<Arc<Ops>>) -> Response {
    let keys = ops.engine().map(|engine| engine.hot_keys()).unwrap_or_default();
    Json(json!({ "items": keys })).into_response()
}

/// Stops the process in good order: not ready, finish, exit 0.
async fn drain(State(ops): State<Arc<Ops>>, headers: HeaderMap) -> (StatusCode, &'static str) {
    if is_cross_site(&headers) {
        return (StatusCode::FORBIDDEN, "not from another site's page\n");
    }
    ops.drain();
    (StatusCode::ACCEPTED, "draining\n")
}

/// 201 `{folder}`: the folder, on this machine, that has a copy of everything that was acknowledged before.
async fn back_up(State(ops): State<Arc<Ops>>, headers: HeaderMap) -> Response {
    if is_cross_site(&headers) {
        return (StatusCode::FORBIDDEN, "not from another site's page\n").into_response();
    }
    match ops.opened.get() {
        Some(opened) => backup::make(opened).await,
        None => (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response(),
    }
}

/// The name of the pod that the shard is to move to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    to: String,
}

/// Must be sent to the pod that owns the shard. The shard stays where it was moved to until pods join or leave.
async fn move_shard(
    State(ops): State<Arc<Ops>>,
    Path(shard): Path<u16>,
    headers: HeaderMap,
    Json(wanted): Json<Move>,
) -> (StatusCode, String) {
    if is_cross_site(&headers) {
        return (StatusCode::FORBIDDEN, "not from another site's page\n".to_owned());
    }
    let Some(engine) = ops.engine() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned());
    };
    if shard >= SHARDS {
        return (StatusCode::NOT_FOUND, format!("shards are numbered from 0 to {}\n", SHARDS - 1));
    }
    let engine = engine.clone();
    // An operator who no longer waits for it has not taken it back.
    let moving =
        tokio::spawn(async move { engine.move_shard(ShardId(shard), &wanted.to).await.map(|()| wanted) });
    match moving.await {
        Ok(Ok(wanted)) => (StatusCode::OK, format!("shard {shard} is {}'s\n", wanted.to)),
        Ok(Err(error @ HandoverError::Refused)) => (StatusCode::CONFLICT, format!("{error}\n")),
        Ok(Err(error)) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

/// A browser marks requests that another site's page sends. The operator's browser can reach this listener; such a page
/// must not.
fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}
