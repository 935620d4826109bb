//! The real process with files that may not grow, as on a full disk: it says that it is not ready and why, loses nothing, goes
//! on by itself when there is room, and its exit code tells whether everything is in the tables.

use std::{
    io::Read as _,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, ExitStatus, Stdio},
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Answer, Client, PATIENCE, Request, until};

const LIMIT: u64 = 6 << 20;

struct Process {
    child: Child,
    api: SocketAddr,
    ops: SocketAddr,
}

impl Process {
    /// Its files may have so many bytes each.
    async fn start(folder: &TempDir, bytes: u64) -> Self {
        let [api, ops] = [free_port(), free_port()];
        // A system that limits files kills whoever exceeds the limit, unless told otherwise.
        let script = r#"trap "" XFSZ; exec prlimit --fsize="$1": "$0" serve"#;
        let child = Command::new("bash")
            .args(["-c", script, env!("CARGO_BIN_EXE_smartcart"), &bytes.to_string()])
            .env("DATABASE_URL", format!("sqlite:{}/shop.db", folder.path().display()))
            .env("SMARTCART_LISTEN", api.to_string())
            .env("SMARTCART_OPS_LISTEN", ops.to_string())
            .env("SMARTCART_SEED", "none")
            .env("SMARTCART_ADMIN_TOKEN_FILE", folder.path().join("admin-token"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let process = Self { child, api, ops };
        until("it is ready", async || {
            tokio::net::TcpStream::connect(ops).await.is_ok() && process.readiness().await.status == 200
        })
        .await;
        process
    }

    fn limit(&self, bytes: &str) {
        let pid = self.child.id().to_string();
        let done = Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={bytes}:")]).status();
        assert!(done.unwrap().success());
    }

    async fn send(&self, request: Request) -> Answer {
        Client::connect(self.api).await.send(request).await
    }

    async fn readiness(&self) -> Answer {
        Client::connect(self.ops).await.send(Request::new("GET", "/readyz")).await
    }

    async fn not_ready_because(&self) -> Option<String> {
        let answer = self.readiness().await;
        (answer.status == 503).then(|| String::from_utf8(answer.body).unwrap())
    }

    /// A guest's cart with much in it, if there is room.
    async fn cart(&self) -> Result<String, Answer> {
        let cart = Request::new("POST", "/v1/carts").json(&json!({"metadata": {"note": "x".repeat(3_500)}}));
        let answer = self.send(cart).await;
        match answer.header("location") {
            Some(path) => Ok(path.to_owned()),
            None => Err(answer),
        }
    }

    /// Its exit code, and what it has said.
    async fn stop(mut self) -> (ExitStatus, String) {
        let signalled = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(signalled.success());
        let ended = tokio::task::spawn_blocking(move || {
            let mut said = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            (self.child.wait().unwrap(), said)
        });
        tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap()
    }
}

fn free_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn full_files_are_told_of_and_written_again_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Process::start(&folder, LIMIT).await;
    let token = std::fs::read_to_string(folder.path().join("admin-token")).unwrap().trim().to_owned();
    let mug = json!({"name": "Mug", "category": "Kitchen", "variants": [
        {"sku": "MUG", "prices": [{"amount": 750, "currency": "GBP"}]}]});
    shop.send(Request::new("PUT", "/v1/products/MUG").bearer(&token).json(&mug)).await.is(201);
    let shelf = Request::new("PUT", "/v1/inventory/MUG").bearer(&token).json(&json!({"on_hand": 100}));
    shop.send(shelf).await.is(200);
    let order = shop.cart().await.unwrap();
    let mugs = json!({"sku": "MUG", "quantity": 1});
    shop.send(Request::new("POST", format!("{order}/items")).json(&mugs)).await.is(200);

    let (mut carts, mut why) = (Vec::new(), None);
    while why.is_none() {
        carts.extend(shop.cart().await);
        why = shop.not_ready_because().await;
    }
    let why = why.unwrap();
    assert!(why.contains("the tables take no changes") && why.contains("its file cannot grow"), "{why}");
    let checkout = Request::new("POST", format!("{order}/checkout"))
        .key("checkout")
        .json(&json!({"email": "ada@example.com"}));
    // The journal takes changes for a while, and then it is full too.
    let refused = loop {
        match shop.cart().await {
            Ok(cart) => carts.push(cart),
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.status, 503);
    let why = shop.not_ready_because().await.unwrap();
    assert!(why.contains("the journal takes no changes"), "{why}");
    shop.send(checkout.clone()).await.is(503);

    shop.limit("unlimited");
    until("it is ready again", async || shop.readiness().await.status == 200).await;
    shop.send(checkout).await.is(201);
    carts.push(shop.cart().await.unwrap());

    // Full again, and stopped: the exit code says that not all is in the tables.
    shop.limit("4096");
    carts.push(shop.cart().await.unwrap_or_else(|_| order.clone()));
    until("the tables take nothing", async || shop.not_ready_because().await.is_some()).await;
    let (status, said) = shop.stop().await;
    assert_eq!(status.code(), Some(1), "{said}");

    let shop = Process::start(&folder, 1 << 40).await;
    for cart in &carts {
        shop.send(Request::new("GET", cart)).await.is(200);
    }
    let (status, said) = shop.stop().await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("everything is in the tables"), "{said}");
}
