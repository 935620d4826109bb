use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::config::Config;

#[derive(Deserialize)]
struct Made {
    folder: String,
}

/// Asks the running shop, through its operator's listener.
pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let ops = reachable(config.ops.listen);
    let stream = TcpStream::connect(ops).await.with_context(|| {
        format!("no shop answers on its operator's listener, {ops}; a stopped shop's files can be copied")
    })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request =
        Request::post("/ops/api/backup").header("host", ops.to_string()).body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await.context("the shop did not answer")?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    connection.abort();
    if !status.is_success() {
        bail!("{}", String::from_utf8_lossy(&body).trim_end());
    }
    let made: Made = serde_json::from_slice(&body).context("the shop's answer is not understood")?;
    println!("{}", made.folder);
    Ok(ExitCode::SUCCESS)
}

/// Where this machine reaches a listener.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen {
        SocketAddr::V4(address) if address.ip().is_unspecified() => {
            (Ipv4Addr::LOCALHOST, address.port()).into()
        }
        SocketAddr::V6(address) if address.ip().is_unspecified() => {
            (Ipv6Addr::LOCALHOST, address.port()).into()
        }
        there => there,
    }
}
