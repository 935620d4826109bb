//! A Redis of one's own, that can be killed, started again, frozen, and made to forget.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

use smartcart_domain::id::random_bytes;
use tempfile::TempDir;

const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];
/// What the distribution has.
const USUAL: &str = "redis-server";
/// One of 7.2 or later: scripts/install-new-redis.sh puts it there.
const NEW: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools/bin/redis-server-new");

pub(crate) struct RedisServer {
    directory: TempDir,
    program: &'static str,
    settings: Vec<String>,
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

    /// One that can wait for its replicas.
    pub(crate) async fn new_that_waits() -> Self {
        // It asks its replicas once more sooner.
        let settings: Vec<&str> = DURABLE.into_iter().chain(["--hz", "100"]).collect();
        Self::running(NEW, free_port(), &settings).await
    }

    pub(crate) async fn with(settings: &[&str]) -> Self {
        Self::running(USUAL, free_port(), settings).await
    }

    /// Durable, with more settings, which may need to know a port.
    pub(crate) async fn with_more(settings: impl FnOnce(u16, u16) -> Vec<String>) -> Self {
        let (port, other) = (free_port(), free_port());
        let settings = settings(port, other);
        let settings: Vec<&str> = DURABLE.into_iter().chain(settings.iter().map(String::as_str)).collect();
        Self::running(USUAL, port, &settings).await
    }

    async fn running(program: &'static str, port: u16, settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        let process = spawn(program, directory.path(), port, &settings);
        let server = Self { directory, program, settings, port, process };
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
        self.process = spawn(self.program, self.directory.path(), self.port, &self.settings);
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
        for _ in 0..2_400 {
            if self.ask(&["PING"]).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("redis-server did not start on port {}", self.port);
    }

    /// Follows another one.
    pub(crate) async fn follow(&self, primary: &Self) {
        self.ask(&["REPLICAOF", "127.0.0.1", &primary.port.to_string()]).await.unwrap();
        for _ in 0..2_400 {
            if self.info("master_link_status").await.as_deref() == Some("up") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("it does not follow");
    }

    pub(crate) async fn promote(&self) {
        self.ask(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    }

    pub(crate) async fn info(&self, name: &str) -> Option<String> {
        let redis::Value::BulkString(told) = self.ask(&["INFO", "everything"]).await.unwrap() else {
            panic!("INFO is text")
        };
        let told = String::from_utf8(told).unwrap();
        told.lines().find_map(|line| Some(line.trim_end().strip_prefix(name)?.strip_prefix(':')?.to_owned()))
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

fn spawn(program: &str, directory: &Path, port: u16, settings: &[String]) -> Child {
    Command::new(program)
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
        // A replica gets what there is at once.
        .args(["--repl-diskless-sync-delay", "0", "--dir"])
        .arg(directory)
        .args(settings)
        .stdout(Stdio::null())
        .spawn()
        .expect("these tests need Redis servers: `make tools` installs them")
}
