//! The two servers, as child processes.

use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::server::{Launch, Server};

const READY_WITHIN: Duration = Duration::from_secs(120);

/// The server that does nothing. Dropping it kills it.
#[derive(Debug)]
pub struct Ceiling {
    _child: Child,
    pub address: SocketAddr,
    pub pid: u32,
}

impl Ceiling {
    pub async fn start(program: &Path, reply_bytes: u64) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .args(["--listen", "127.0.0.1:0", "--reply-bytes", &reply_bytes.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let stdout = child.stdout.take().context("the ceiling's output")?;
        // Its first line is where it listens.
        let Some(line) = BufReader::new(stdout).lines().next_line().await? else {
            bail!("the ceiling ended before it said where it listens");
        };
        let address = line.parse().with_context(|| format!("the ceiling said {line:?}"))?;
        let pid = child.id().context("the ceiling has ended")?;
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
