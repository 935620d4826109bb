//! The end of a running server, within reach of its clients.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use smartcart_testkit::server::Server;
use tokio::sync::Notify;

/// The running server, within reach of the clients, so that an answer can be its death without a detour.
#[derive(Debug, Default)]
pub struct KillSwitch {
    server: Mutex<Option<Server>>,
    armed: AtomicBool,
    fired: Notify,
}

impl KillSwitch {
    pub fn hold(&self, server: Server) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }

    /// From now on the first acknowledgement kills. Waits for it, a second at most.
    pub async fn arm(&self) {
        self.armed.store(true, Ordering::SeqCst);
        // Where everything is refused, some other moment is as good.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.fired.notified()).await;
        self.armed.store(false, Ordering::SeqCst);
    }

    /// A change was acknowledged.
    pub fn acknowledged(&self) {
        if !self.armed.swap(false, Ordering::SeqCst) {
            return;
        }
        if let Some(server) = self.server.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // A server that is gone already is found and reported by `kill`.
            let _ = server.kill_now();
        }
        self.fired.notify_one();
    }

    /// Kills the server, if that has not happened yet.
    pub async fn kill(&self) -> anyhow::Result<()> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        server.context("there is no server to kill")?.kill().await
    }
}
