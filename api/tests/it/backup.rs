//! `smartcart backup` of a running shop, what is restored from it, and files that do not belong together.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Process, Request, process};

const FILES: [&str; 2] = ["shop.db", "shop-journal.db"];

/// Guests' carts with some metadata: their paths.
async fn carts(shop: &Process, count: usize) -> Vec<String> {
    let mut carts = Vec::new();
    for number in 0..count {
        let request = Request::new("POST", "/v1/carts").json(&json!({"metadata": {"number": number}}));
        carts.push(shop.send(request).await.is(201).header("location").unwrap().to_owned());
    }
    carts
}

async fn has(shop: &Process, carts: &[String]) {
    for cart in carts {
        shop.send(Request::new("GET", cart)).await.is(200);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn back_up(shop: &Process, folder: &Path) -> PathBuf {
    let made = shop.run(folder, &["backup"]).await;
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    PathBuf::from(text(&made.stdout).trim_end())
}

/// Puts some of a backup's files in the places of a shop's own.
fn restore(backup: &Path, files: &[&str], folder: &Path) {
    for file in files {
        for rest in ["-wal", "-shm"] {
            // There is none after an orderly stop.
            let _removed = std::fs::remove_file(folder.join(format!("{file}{rest}")));
        }
        std::fs::copy(backup.join(file), folder.join(file)).unwrap();
    }
}

#[track_caller]
fn is_refused(output: &Output, why: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(why), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_shop_has_all_that_was_acknowledged_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Process::start(folder.path()).await;
    let mut acknowledged = carts(&shop, 50).await;
    let later = async {
        let mut more = Vec::new();
        for _ in 0..20 {
            more.extend(carts(&shop, 10).await);
        }
        more
    };
    let (backup, more) = tokio::join!(back_up(&shop, folder.path()), later);
    has(&shop, &more).await;
    let second = back_up(&shop, folder.path()).await;
    shop.kill().await;

    let restored = tempfile::tempdir().unwrap();
    restore(&backup, &FILES, restored.path());
    let shop = Process::start(restored.path()).await;
    has(&shop, &acknowledged).await;
    carts(&shop, 1).await;
    assert_eq!(shop.stop().await.0.code(), Some(0));
    let verified = process::run(restored.path(), &["verify"]).await;
    assert_eq!(text(&verified.stdout).trim_end(), "no findings");

    acknowledged.extend(more);
    let restored = tempfile::tempdir().unwrap();
    restore(&second, &FILES, restored.path());
    has(&Process::start(restored.path()).await, &acknowledged).await;
}

#[tokio::test]
async fn without_a_running_shop_there_is_nobody_to_make_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let output = process::run(folder.path(), &["--ops-listen", "127.0.0.1:1", "backup"]).await;
    is_refused(&output, "no shop answers on its operator's listener");
}

/// A shop that was stopped, and a backup of it from some changes and a start before.
async fn shop_and_backup() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let shop = Process::start(folder.path()).await;
    carts(&shop, 5).await;
    let backup = back_up(&shop, folder.path()).await;
    carts(&shop, 5).await;
    assert_eq!(shop.stop().await.0.code(), Some(0));
    (folder, backup)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_journal_is_not_passed_over() {
    let (folder, _) = shop_and_backup().await;
    std::fs::remove_file(folder.path().join("shop-journal.db")).unwrap();
    for command in ["serve", "verify"] {
        let refused = process::run(folder.path(), &[command]).await;
        is_refused(&refused, "the journal is missing, and with it changes that were acknowledged");
        is_refused(&refused, "smartcart backup");
    }
    let accepted = process::run(folder.path(), &["--missing-changes", "accept", "verify"]).await;
    assert_eq!(text(&accepted.stdout).trim_end(), "no findings");
    // From then on they belong together.
    assert_eq!(process::run(folder.path(), &["verify"]).await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_restored_alone_is_refused() {
    let (folder, backup) = shop_and_backup().await;
    // Of the same run: the journal has forgotten what these tables have not got.
    restore(&backup, &["shop.db"], folder.path());
    is_refused(&process::run(folder.path(), &["verify"]).await, "is missing");

    for (file, why) in [
        ("shop.db", "the tables are older than the journal"),
        ("shop-journal.db", "the journal is older than the tables"),
    ] {
        let (folder, backup) = shop_and_backup().await;
        assert_eq!(Process::start(folder.path()).await.stop().await.0.code(), Some(0));
        restore(&backup, &[file], folder.path());
        is_refused(&process::run(folder.path(), &["verify"]).await, why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_of_another_shop_is_refused() {
    let ((one, _), (other, _)) = (shop_and_backup().await, shop_and_backup().await);
    restore(other.path(), &["shop-journal.db"], one.path());
    let accept = ["--missing-changes", "accept", "verify"];
    is_refused(&process::run(one.path(), &accept).await, "of different shops");
}
