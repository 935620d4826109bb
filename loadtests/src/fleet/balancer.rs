//! What a load balancer does: it asks each pod whether it is ready, and sends nothing new to one that is not.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::task::JoinHandle;

use crate::{
    chaos::doors::Doors,
    wire::{Connection, render},
};

const INTERVAL: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(1);

/// Asks until it is dropped.
#[derive(Debug)]
pub struct Balancer(Vec<JoinHandle<()>>);

impl Balancer {
    /// `ops` are the operator's listeners behind the doors, in their order.
    pub async fn start(doors: &Arc<Doors>, ops: Vec<SocketAddr>) -> Self {
        for (door, ops) in ops.iter().enumerate() {
            doors.set(door, is_ready(*ops).await);
        }
        let watch = |(door, ops)| {
            let doors = doors.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(INTERVAL).await;
                    doors.set(door, is_ready(ops).await);
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

async fn is_ready(ops: SocketAddr) -> bool {
    let asking = async {
        let mut connection = Connection::open(ops).await?;
        connection.exchange(&render("GET", "/readyz", &[], None)).await
    };
    matches!(tokio::time::timeout(PATIENCE, asking).await, Ok(Ok(head)) if head.status == 200)
}
