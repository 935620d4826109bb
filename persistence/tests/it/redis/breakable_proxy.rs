//! A way to a server that can be shut: then every connection through it breaks, and new ones end at once.

use std::sync::Arc;

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub(crate) struct BreakableProxy {
    pub(crate) port: u16,
    open: Arc<watch::Sender<bool>>,
}

impl BreakableProxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy =
            Self { port: listener.local_addr().unwrap().port(), open: Arc::new(watch::Sender::new(true)) };
        let open = proxy.open.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut open = open.subscribe();
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = open.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        proxy
    }

    pub(crate) fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// Every connection breaks; new ones are let through.
    pub(crate) async fn break_connections(&self) {
        self.set_open(false);
        tokio::task::yield_now().await;
        self.set_open(true);
    }
}
