//! The program itself, in a process of its own, with files in a folder of its own.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use super::{Answer, Client, PATIENCE, Request, until};

pub(crate) struct Process {
    child: Child,
    api: SocketAddr,
    ops: SocketAddr,
    pub(crate) token: String,
}

impl Process {
    pub(crate) async fn start(folder: &Path) -> Self {
        Self::start_with(folder, "unlimited").await
    }

    /// Its files may have so many bytes each.
    pub(crate) async fn start_with(folder: &Path, limit: &str) -> Self {
        let [api, ops] = [free_port(), free_port()];
        // A system that limits files kills whoever exceeds the limit, unless told otherwise.
        let script = r#"trap "" XFSZ; exec prlimit --fsize="$1": "$0" serve"#;
        let child = command(Command::new("bash").args(["-c", script, PROGRAM, limit]), folder)
            .env("SMARTCART_LISTEN", api.to_string())
            .env("SMARTCART_OPS_LISTEN", ops.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut process = Self { child, api, ops, token: String::new() };
        until("it is ready", async || {
            tokio::net::TcpStream::connect(ops).await.is_ok() && process.readiness().await.status == 200
        })
        .await;
        process.token = std::fs::read_to_string(folder.join("admin-token")).unwrap().trim().to_owned();
        process
    }

    pub(crate) fn limit_files(&self, bytes: &str) {
        let pid = self.child.id().to_string();
        let done = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status();
        assert!(done.unwrap().success());
    }

    pub(crate) async fn send(&self, request: Request) -> Answer {
        Client::connect(self.api).await.send(request).await
    }

    pub(crate) async fn readiness(&self) -> Answer {
        Client::connect(self.ops).await.send(Request::new("GET", "/readyz")).await
    }

    pub(crate) async fn not_ready_because(&self) -> Option<String> {
        let answer = self.readiness().await;
        (answer.status == 503).then(|| String::from_utf8(answer.body).unwrap())
    }

    /// Another of the program's commands, on the running shop.
    pub(crate) async fn run(&self, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env("SMARTCART_OPS_LISTEN", self.ops.to_string());
        ended(&mut command, folder).await
    }

    /// SIGTERM: its exit code, and what it has said.
    pub(crate) async fn stop(self) -> (ExitStatus, String) {
        self.signal("TERM").await
    }

    pub(crate) async fn kill(self) {
        self.signal("KILL").await;
    }

    async fn signal(mut self, signal: &str) -> (ExitStatus, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let mut log = self.child.stderr.take().unwrap();
        let ended = tokio::task::spawn_blocking(move || {
            let mut said = String::new();
            log.read_to_string(&mut said).unwrap();
            (self.child.wait().unwrap(), said)
        });
        tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap()
    }
}

/// A test that ends leaves no process behind.
impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_smartcart");

/// One of the program's commands, on files that nobody has open.
pub(crate) async fn run(folder: &Path, arguments: &[&str]) -> Output {
    ended(Command::new(PROGRAM).args(arguments), folder).await
}

async fn ended(command_line: &mut Command, folder: &Path) -> Output {
    let command_line = command(command_line, folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command_line.spawn().unwrap();
    let ended = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap());
    tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap()
}

fn command<'a>(command: &'a mut Command, folder: &Path) -> &'a mut Command {
    command
        .env("DATABASE_URL", format!("sqlite:{}/shop.db", folder.display()))
        .env("SMARTCART_SEED", "none")
        .env("SMARTCART_ADMIN_TOKEN_FILE", folder.join("admin-token"))
}

fn free_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
