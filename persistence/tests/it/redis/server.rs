//! A Redis of one's own, that can be killed, started again, frozen, and made to forget.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use smartcart_engine::id::random_bytes;
use tempfile::TempDir;

const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

pub(crate) struct RedisServer {
    directory: TempDir,
    pub(crate) port: u16,
    process: Child,
}

/// Below the range that the system draws the ports of outgoing connections from.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::from_be_bytes(random_bytes()) % 12_000;
    NEXT.compare_exchange(0, 20_000 + start, Ordering::SeqCst, Ordering::SeqCst).ok();
    loop {
        let port = 20_000 + (NEXT.fetch_add(1, Ordering::SeqCst) - 20_000) % 12_700;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl RedisServer {
    pub(crate) async fn new() -> Self {
        Self::with(&DURABLE).await
    }

    pub(crate) async fn with(settings: &[&str]) -> Self {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        let process = spawn(&directory, port, settings);
        let server = Self { directory, port, process };
        server.answers().await;
        server
    }

    pub(crate) fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) async fn start(&mut self) {
        self.process = spawn(&self.directory, self.port, &DURABLE);
        self.answers().await;
    }

    /// Killed, and back with what it had when `keep` was taken; with nothing: `None`.
    pub(crate) async fn start_with(&mut self, keep: Option<TempDir>) {
        self.directory = keep.unwrap_or_else(|| tempfile::tempdir().unwrap());
        self.start().await;
    }

    /// What is on its disk now.
    pub(crate) fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        let (from, to) = (self.directory.path(), copy.path());
        let copied = Command::new("cp").arg("-r").arg(from.join("appendonlydir")).arg(to).status().unwrap();
        assert!(copied.success());
        copy
    }

    /// Stops answering without closing anything.
    pub(crate) fn freeze(&self, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill").arg(signal).arg(self.process.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    async fn answers(&self) {
        for _ in 0..400 {
            if self.ask(&["PING"]).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("redis-server did not start on port {}", self.port);
    }

    /// Behind the journal's back.
    pub(crate) async fn ask(&self, command: &[&str]) -> redis::RedisResult<redis::Value> {
        let client = redis::Client::open(self.address())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let (name, arguments) = command.split_first().unwrap();
        redis::cmd(name).arg(arguments).query_async(&mut connection).await
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It may be dead already.
        let _ended = self.process.kill();
        let _ended = self.process.wait();
    }
}

fn spawn(directory: &TempDir, port: u16, settings: &[&str]) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"])
        .arg(directory.path())
        .args(settings)
        .stdout(Stdio::null())
        .spawn()
        .expect("these tests need a Redis server: scripts/install-redis.sh installs one")
}
