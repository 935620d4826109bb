//! What a load balancer does: it asks each pod whether it is ready, and sends nothing new to one that is not.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use smartcart_testkit::ops::is_ready;
use tokio::task::JoinHandle;

use crate::endpoints::Endpoints;

const INTERVAL: Duration = Duration::from_millis(100);

/// Asks until it is dropped.
#[derive(Debug)]
pub struct Balancer(Vec<JoinHandle<()>>);

impl Balancer {
    /// `ops` are the operator's listeners behind the endpoints, in their order.
    pub async fn start(endpoints: &Arc<Endpoints>, ops: Vec<SocketAddr>) -> Self {
        for (endpoint, ops) in ops.iter().enumerate() {
            endpoints.set(endpoint, is_ready(*ops).await);
        }
        let watch = |(endpoint, ops)| {
            let endpoints = endpoints.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(INTERVAL).await;
                    endpoints.set(endpoint, is_ready(ops).await);
                }
            })
        };
        Self(ops.into_iter().enumerate().map(watch).collect())
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        for watch in &self.0 {
            watch.abort();
        }
    }
}
