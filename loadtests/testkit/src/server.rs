//! The server under test, as a child process: started in a directory of its own, killed, paused or stopped, measured.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use tokio::process::{Child, Command};

use crate::{
    ops::is_ready,
    ports::free_ports,
    process::{self, Signal},
};

/// How a server is to be started; the same again after each kill.
#[derive(Debug, Clone)]
pub struct Launch {
    program: PathBuf,
    directory: PathBuf,
    pub listen: SocketAddr,
    pub ops: SocketAddr,
    /// The service token's text.
    pub token: String,
    settings: Vec<(String, String)>,
}

impl Launch {
    /// Settles two free ports and writes a service token into `directory`.
    pub fn prepare(program: &Path, directory: &Path, settings: &[(&str, String)]) -> anyhow::Result<Self> {
        let ports = free_ports(2)?;
        Self::at(program, directory, [ports[0], ports[1]], settings)
    }

    /// As `prepare`, with its listener and its operator's listener at these addresses.
    pub fn at(
        program: &Path,
        directory: &Path,
        [listen, ops]: [SocketAddr; 2],
        settings: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let program = found(program)?;
        let token = "service-token-of-a-test-run-0123456789abcdef".to_owned();
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(directory.join("admin-token"))?
            .write_all(token.as_bytes())?;
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Ok(Self { program, directory: directory.to_owned(), listen, ops, token, settings })
    }

    /// A setting of the next start's, in place of what it was.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.into()));
    }

    pub fn set_program(&mut self, program: &Path) -> anyhow::Result<()> {
        self.program = found(program)?;
        Ok(())
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg(subcommand)
            .current_dir(&self.directory)
            .env("DATABASE_URL", format!("sqlite:{}", self.tables().display()))
            .env("SMARTCART_LISTEN", self.listen.to_string())
            .env("SMARTCART_OPS_LISTEN", self.ops.to_string())
            .env("SMARTCART_ADMIN_TOKEN_FILE", self.directory.join("admin-token"))
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    pub fn start(&self) -> anyhow::Result<Server> {
        let log = OpenOptions::new().create(true).append(true).open(self.log())?;
        let child = self.command("serve").stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Server { child, killed: false, started: Instant::now(), ops: self.ops, log: self.log() })
    }

    /// Audits the store with no server on it.
    pub async fn verify(&self) -> anyhow::Result<()> {
        let output = self.command("verify").output().await?;
        ensure!(
            output.status.success(),
            "`verify` ended with {}:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// The file of the tables.
    pub fn tables(&self) -> PathBuf {
        self.directory.join("smartcart.db")
    }

    pub fn log(&self) -> PathBuf {
        self.directory.join("server.log")
    }
}

fn found(program: &Path) -> anyhow::Result<PathBuf> {
    program.canonicalize().with_context(|| format!("no server at {}", program.display()))
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    killed: bool,
    started: Instant,
    ops: SocketAddr,
    log: PathBuf,
}

impl Server {
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until `/readyz` says 200, and answers how long that took from the start of the process.
    pub async fn ready(&mut self, limit: Duration) -> anyhow::Result<Duration> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status} before it was ready:\n{}", tail(&self.log)?);
            }
            if is_ready(self.ops).await {
                return Ok(self.started.elapsed());
            }
            if self.started.elapsed() > limit {
                bail!("the server was not ready within {limit:?}:\n{}", tail(&self.log)?);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// SIGKILL: nothing of the process runs after this.
    pub fn kill_now(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server had ended by itself with {status}:\n{}", tail(&self.log)?);
        }
        self.killed = true;
        self.child.start_kill().context("kill -9")
    }

    /// Kills the server, unless that was done, and waits until it is gone.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        if !self.killed {
            self.kill_now()?;
        }
        self.child.wait().await.context("waiting for the killed server")?;
        Ok(())
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(self, limit: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        self.ended(limit).await
    }

    /// SIGSTOP: nothing of the process runs until it is resumed, and its connections stay open.
    pub async fn pause(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)?;
        let pid = self.pid().context("the server has ended already")?;
        // The signal is on its way when it has been sent.
        while !process::is_stopped(pid)? {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    pub fn resume(&self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Waits until the process has ended.
    pub async fn ended(mut self, limit: Duration) -> anyhow::Result<ExitStatus> {
        tokio::time::timeout(limit, self.child.wait())
            .await
            .with_context(|| format!("the server did not end within {limit:?}"))?
            .context("waiting for the server's end")
    }

    pub fn is_running(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        process::signal(self.pid().context("the server has ended already")?, signal)
    }
}

/// The last lines of a log, for a report.
pub fn tail(log: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(log)?;
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(20)..].join("\n"))
}
