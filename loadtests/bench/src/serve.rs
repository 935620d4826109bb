//! The listener of the servers that SmartCart is measured beside: the same library and the same settings as SmartCart's.

use std::net::SocketAddr;

use axum::Router;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;

/// Says where it listens, in one line on the standard output, and serves until the process ends.
pub async fn serve(listen: SocketAddr, router: Router) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            let mut server = hyper::server::conn::http1::Builder::new();
            server.timer(TokioTimer::new());
            // A client that hangs up is no news.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
