//! Told by the database that something changed (`LISTEN`). A hint: what is missed is found by the next look.

use std::{sync::Arc, time::Duration};

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::{sync::Notify, task::JoinHandle};

pub(super) const CHANNEL: &str = "smartcart";

const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct News {
    told: Arc<Notify>,
    listening: JoinHandle<()>,
}

impl News {
    pub(super) fn listen(options: PgConnectOptions) -> Self {
        let told = Arc::new(Notify::new());
        Self { listening: tokio::spawn(listen(options, told.clone())), told }
    }

    pub(super) async fn told(&self) {
        self.told.notified().await;
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(options: PgConnectOptions, told: Arc<Notify>) {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options);
    loop {
        let Err(error) = until_lost(&pool, &told).await;
        tracing::debug!(%error, "the database's notifications are missed for now");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn until_lost(pool: &sqlx::PgPool, told: &Notify) -> Result<std::convert::Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // Something may have been missed before and in between.
        told.notify_one();
        listener.recv().await?;
    }
}
