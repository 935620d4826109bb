//! What a crash, a bad disk or a hand can leave in the files. Damage is never skipped.

use smartcart_domain::{
    entry::Lane,
    id::{CartId, IncarnationId},
};
use smartcart_engine::{journal::JournalError, store::StoreError};
use smartcart_persistence::{
    error::OpenError,
    sqlite::{self, MissingChanges},
};

use crate::backend::{ClosedSqlite, Sqlite};
use smartcart_testkit::conformance::{
    backend::{Backend as _, Shop as _},
    journal::append,
    samples::{cart, rows},
};

async fn journal_of_three() -> ClosedSqlite {
    let shop = Sqlite::new().await;
    append(shop.journal(), 1, 0, 1..=3).await;
    append(shop.journal(), 2, 0, 1..=3).await;
    shop.closed().await
}

/// Reading says which entry is damaged, and the one before it can still be read.
async fn is_damaged(closed: ClosedSqlite, damaged: u64, why: &str) {
    let shop = closed.opened().await;
    let read = shop.journal().read(IncarnationId(1), Lane(0), 0, 10).await;
    let Err(JournalError::Corrupt { incarnation, lane: 0, sequence, reason }) = read else {
        panic!("{read:?}");
    };
    assert_eq!((incarnation, sequence), (IncarnationId(1), damaged));
    assert!(reason.contains(why), "{reason}");
    let before = shop.journal().read(IncarnationId(1), Lane(0), 0, 1).await.unwrap();
    assert_eq!(before.len(), 1);
}

async fn tampered(sql: &'static str) -> ClosedSqlite {
    let closed = journal_of_three().await;
    closed.tamper(closed.journal(), sql).await;
    closed
}

#[tokio::test]
async fn a_torn_entry_is_detected() {
    let torn = "UPDATE entry SET body = substr(body, 1, length(body) - 5)
                WHERE sequence = 2 AND hex(incarnation) LIKE '%01'";
    is_damaged(tampered(torn).await, 2, "checksum").await;
    let torn =
        "UPDATE entry SET body = substr(body, 1, 9) WHERE sequence = 2 AND hex(incarnation) LIKE '%01'";
    is_damaged(tampered(torn).await, 2, "torn").await;
}

#[tokio::test]
async fn a_flipped_byte_is_detected() {
    let flipped = "UPDATE entry SET body = CAST(substr(body, 1, 45) || x'ff' || substr(body, 47) AS BLOB)
                   WHERE sequence = 3 AND hex(incarnation) LIKE '%01'";
    is_damaged(tampered(flipped).await, 3, "checksum").await;
}

#[tokio::test]
async fn a_foreign_entry_is_detected() {
    // Whole and intact, but of another journal.
    let foreign = "UPDATE entry SET body = (SELECT other.body FROM entry AS other
                   WHERE other.sequence = 2 AND hex(other.incarnation) LIKE '%02')
                   WHERE sequence = 2 AND hex(incarnation) LIKE '%01'";
    is_damaged(tampered(foreign).await, 2, "another place").await;
    let not_ours = "UPDATE entry SET body = zeroblob(200) WHERE sequence = 2 AND hex(incarnation) LIKE '%01'";
    is_damaged(tampered(not_ours).await, 2, "not a record").await;
}

#[tokio::test]
async fn a_missing_entry_is_detected() {
    let hole = "DELETE FROM entry WHERE sequence = 2 AND hex(incarnation) LIKE '%01'";
    is_damaged(tampered(hole).await, 2, "missing").await;
}

#[tokio::test]
async fn a_damaged_image_is_an_error() {
    let shop = Sqlite::new().await;
    shop.store().flush(&rows([cart(1).snapshot()])).await.unwrap();
    let closed = shop.closed().await;
    closed.tamper(closed.tables(), "UPDATE cart SET image = CAST(x'02' || substr(image, 2) AS BLOB)").await;
    let shop = closed.opened().await;
    let loaded = shop.store().load_cart(CartId(1)).await;
    assert!(matches!(&loaded, Err(StoreError::Corrupt(what)) if what.contains("version 2")), "{loaded:?}");
}

#[tokio::test]
async fn missing_changes_are_an_error() {
    let shop = Sqlite::new().await;
    let (young, old) = (cart(1), cart(1).adding("85123A", 1));
    shop.store().flush(&rows([young.snapshot()])).await.unwrap();
    shop.store().flush(&rows([old.tail(1)])).await.unwrap();
    let closed = shop.closed().await;
    closed.tamper(closed.tables(), "DELETE FROM cart_tail").await;
    let shop = closed.opened().await;
    let loaded = shop.store().load_cart(CartId(1)).await;
    assert!(
        matches!(&loaded, Err(StoreError::Corrupt(what)) if what.contains("version 2 is missing")),
        "{loaded:?}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let shop = Sqlite::new().await;
    let address = shop.address();
    let closed = shop.closed().await;
    std::fs::write(
        closed.tables(),
        "these are not the carts you are looking for, nor any other: ".repeat(100),
    )
    .unwrap();
    let refused = sqlite::open(&address, MissingChanges::Refuse).await.err().unwrap();
    assert!(matches!(&refused, OpenError::Unusable { path, .. } if path.ends_with("shop.db")), "{refused}");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused() {
    let shop = Sqlite::new().await;
    let address = shop.address();
    let closed = shop.closed().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'from the future', TRUE, x'00', 0)";
    closed.tamper(closed.tables(), newer).await;
    let refused = sqlite::open(&address, MissingChanges::Refuse).await.err().unwrap();
    assert!(matches!(refused, OpenError::Newer { .. }), "{refused}");
}
