//! Notifications between pods, through the database (`NOTIFY`, `LISTEN`). A hint: what is missed is found by the next poll.

use std::{sync::Arc, time::Duration};

use smartcart_engine::backoff::Backoff;
use sqlx::{
    PgConnection,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::{sync::Notify, task::JoinHandle};

use crate::error::TableResult;

const CHANNEL: &str = "smartcart";

/// Before a lost connection is made again.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Wakes every pod's listener when the transaction commits.
pub(super) async fn notify(connection: &mut PgConnection) -> TableResult<()> {
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(connection).await?;
    Ok(())
}

#[derive(Debug)]
pub(super) struct NotificationListener {
    received: Arc<Notify>,
    task: JoinHandle<()>,
}

impl NotificationListener {
    pub(super) fn listen(options: PgConnectOptions) -> Self {
        let received = Arc::new(Notify::new());
        Self { task: tokio::spawn(listen(options, received.clone())), received }
    }

    pub(super) async fn notified(&self) {
        self.received.notified().await;
    }
}

impl Drop for NotificationListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(options: PgConnectOptions, received: Arc<Notify>) {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options);
    let mut backoff = Backoff::new(RECONNECT_PAUSE, RECONNECT_PAUSE);
    loop {
        let Err(error) = until_lost(&pool, &received).await;
        tracing::debug!(%error, "lost the connection for the database's notifications; connecting again within 1 s");
        backoff.wait().await;
    }
}

async fn until_lost(pool: &sqlx::PgPool, received: &Notify) -> Result<std::convert::Infallible, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        // Something may have been missed before and in between.
        received.notify_one();
        listener.recv().await?;
    }
}
