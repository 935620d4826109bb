//! The servers, as child processes.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use smartcart_testkit::{
    ports::free_ports,
    server::{Launch, Server},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

const READY_WITHIN: Duration = Duration::from_secs(120);

/// A server that SmartCart is measured beside. Its first line is where it listens. Dropping it kills it.
#[derive(Debug)]
pub struct Companion {
    _child: Child,
    pub address: SocketAddr,
    pub pid: u32,
}

impl Companion {
    /// The server that does nothing.
    pub async fn noop_server(program: &Path, reply_bytes: u64) -> anyhow::Result<Self> {
        Self::start(program, &["--reply-bytes", &reply_bytes.to_string()]).await
    }

    pub async fn start(program: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(["--listen", &free_ports(1)?[0].to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let stdout = child.stdout.take().context("the server's output")?;
        let Some(line) = BufReader::new(stdout).lines().next_line().await? else {
            bail!("{} ended before it said where it listens", program.display());
        };
        let address = line.parse().with_context(|| format!("{} said {line:?}", program.display()))?;
        let pid = child.id().context("the server has ended")?;
        Ok(Self { _child: child, address, pid })
    }
}

/// The server under measurement.
#[derive(Debug)]
pub struct Subject {
    pub server: Server,
    pub launch: Launch,
    pub pid: u32,
    pub ready_after: Duration,
}

impl Subject {
    pub async fn start(launch: Launch) -> anyhow::Result<Self> {
        let mut server = launch.start()?;
        let ready_after = server.ready(READY_WITHIN).await?;
        let pid = server.pid().context("the server has ended")?;
        Ok(Self { server, launch, pid, ready_after })
    }

    pub async fn stop(self) -> anyhow::Result<Launch> {
        let status = self.server.stop(READY_WITHIN).await?;
        if !status.success() {
            bail!("after SIGTERM the server ended with {status}");
        }
        Ok(self.launch)
    }
}
