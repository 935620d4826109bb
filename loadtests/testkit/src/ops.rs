//! What a pod's operator's listener says.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::http::{Connection, Response, render};

const PATIENCE: Duration = Duration::from_secs(5);
const READY_PATIENCE: Duration = Duration::from_secs(1);

/// The tables may lag behind the journal this long after a load.
pub const CATCHES_UP_WITHIN: Duration = Duration::from_secs(60);

/// What a checkout leaves to be done after its answer, and the journal's trimming after a flush, are over by then.
const QUIET: Duration = Duration::from_millis(300);

/// A document of the listener.
pub async fn get_json(ops: SocketAddr, path: &str) -> anyhow::Result<Value> {
    serde_json::from_slice(&get(ops, path).await?.body).with_context(|| format!("{ops}{path}"))
}

pub(crate) async fn get_text(ops: SocketAddr, path: &str) -> anyhow::Result<String> {
    Ok(String::from_utf8(get(ops, path).await?.body)?)
}

async fn get(ops: SocketAddr, path: &str) -> anyhow::Result<Response> {
    let asking = async {
        let mut connection = Connection::open(ops).await?;
        connection.call(&render("GET", path, &[], None)).await
    };
    let response = tokio::time::timeout(PATIENCE, asking)
        .await
        .with_context(|| format!("{ops}{path} did not answer within {PATIENCE:?}"))??;
    ensure!(response.status == 200, "{ops}{path} answers {}", response.status);
    Ok(response)
}

/// Whether the pod says that it is ready. One that does not answer is not.
pub async fn is_ready(ops: SocketAddr) -> bool {
    let asking = async {
        let mut connection = Connection::open(ops).await?;
        connection.exchange(&render("GET", "/readyz", &[], None)).await
    };
    matches!(tokio::time::timeout(READY_PATIENCE, asking).await, Ok(Ok(head)) if head.status == 200)
}

/// Waits until the tables have all that the journal has.
pub async fn drained(ops: SocketAddr, limit: Duration) -> anyhow::Result<()> {
    let quiet = async {
        loop {
            let level = is_level(ops).await?;
            tokio::time::sleep(QUIET).await;
            if level && is_level(ops).await? {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(limit, quiet)
        .await
        .with_context(|| format!("the write-behind did not catch up within {limit:?}"))?
}

async fn is_level(ops: SocketAddr) -> anyhow::Result<bool> {
    let status = get_json(ops, "/ops/api/status").await?;
    let behind = &status["engine"]["tables_behind"];
    let count = |of| behind[of].as_u64().with_context(|| format!("no tables_behind.{of}: {status}"));
    Ok(count("entries")? == 0 && count("entities")? == 0)
}
