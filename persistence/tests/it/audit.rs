//! The audit finds what must never be, and nothing else.

use std::sync::Arc;

use smartcart_domain::{change::EntityKind, orders::OrderStatus, time::Timestamp};
use smartcart_engine::store::{Finding, Row, Store, TableBatch};
use strum::VariantArray as _;

use crate::backend::{ClosedSqlite, Postgres, Sqlite};
use smartcart_testkit::conformance::{
    backend::Shop as _,
    samples::{cart, order, product, rows, stock, user},
};

/// A shop that has sold five units and was paid late, cancelled another order, and has a checkout under way.
async fn shop() -> Sqlite {
    let shop = Sqlite::new().await;
    let store = shop.store();
    store.create_user(&user(77, "ada@example.com"), None).await.unwrap();
    store.put_product(&product("heart", &["85123A"]), None, None).await.unwrap();
    let (sold, cancelled) = (order(5, 1, 10), order(6, 2, 20));
    let bought = cart(1).adding("85123A", 5).checking_out(5).placing(&sold).settled(5);
    let regretted = cart(2).adding("85123A", 5).checking_out(6).placing(&cancelled).settled(6);
    let busy = cart(3).adding("85123A", 5).checking_out(7);
    let shelf = stock("85123A", 40).holding(5, 5, 60_000).selling(5).holding(7, 5, 70_000);
    let batch = TableBatch {
        orders: vec![Arc::new(sold.clone()), Arc::new(cancelled.clone())],
        ..rows([bought.snapshot(), regretted.snapshot(), busy.snapshot(), shelf.snapshot()])
    };
    store.flush(&batch).await.unwrap();
    store
        .transition_order(&cancelled.transition(OrderStatus::Cancelled, Timestamp(30)).unwrap(), None)
        .await
        .unwrap();
    // Its money comes after its goods were packed.
    let packed = sold.transition(OrderStatus::Packed, Timestamp(31)).unwrap();
    store.transition_order(&packed, None).await.unwrap();
    let paid = packed.transition(OrderStatus::Paid, Timestamp(32)).unwrap();
    store.transition_order(&paid, None).await.unwrap();
    let shelf =
        stock("85123A", 40).holding(5, 5, 60_000).selling(5).holding(7, 5, 70_000).holding(8, 1, 80_000);
    store.flush(&rows([shelf.tail(4)])).await.unwrap();
    shop
}

async fn findings(closed: ClosedSqlite, sql: &'static str) -> Vec<Finding> {
    closed.tamper(closed.tables(), sql).await;
    closed.opened().await.store().audit().await.unwrap()
}

async fn finds(sql: &'static str, subject: &str, what: &str) {
    let found = findings(shop().await.closed().await, sql).await;
    let hit = found.iter().any(|finding| finding.subject == subject && finding.what.contains(what));
    assert!(hit, "{sql}\n{found:#?}");
}

const CART_1: &str = "cart 00000000000000000000000000000001";
const ORDER_5: &str = "order 00000000000000000000000000000005";

#[tokio::test]
async fn a_sound_shop_has_no_findings() {
    assert_eq!(shop().await.store().audit().await.unwrap(), []);
}

#[tokio::test]
async fn stock_that_does_not_add_up() {
    finds("UPDATE stock SET on_hand = on_hand + 1", "stock 85123A", "its columns").await;
    finds("UPDATE stock SET held = 0", "stock 85123A", "its columns").await;
}

#[tokio::test]
async fn more_was_ordered_than_sold() {
    let sql = "UPDATE shop_order SET total = 2950, lines = json_array(
                   json_set(lines -> 0, '$.quantity', 10, '$.line_total', 2950)) WHERE hex(id) LIKE '%05'";
    finds(sql, "stock 85123A", "5 units were sold, orders have 10").await;
}

#[tokio::test]
async fn an_order_is_missing() {
    finds("DELETE FROM shop_order WHERE hex(id) LIKE '%05'", CART_1, "which is not there").await;
}

#[tokio::test]
async fn an_order_belongs_to_another_cart() {
    finds(
        "UPDATE shop_order SET cart = randomblob(16) WHERE hex(id) LIKE '%05'",
        ORDER_5,
        "placed it, it says cart",
    )
    .await;
}

#[tokio::test]
async fn a_total_is_wrong() {
    finds("UPDATE shop_order SET total = 1 WHERE hex(id) LIKE '%05'", ORDER_5, "its total is 1").await;
}

#[tokio::test]
async fn a_history_is_wrong() {
    for sql in [
        "UPDATE shop_order SET status = 'shipped' WHERE hex(id) LIKE '%05'",
        "UPDATE shop_order SET status = 'paid' WHERE hex(id) LIKE '%05'",
    ] {
        finds(sql, ORDER_5, "its history is").await;
    }
}

#[tokio::test]
async fn a_version_is_missing() {
    finds("DELETE FROM stock_tail", "stock 85123A", "version 5 is missing").await;
    finds("UPDATE cart SET version = version + 1 WHERE hex(id) LIKE '%01'", CART_1, "is missing").await;
}

#[tokio::test]
async fn a_snapshot_cannot_be_read() {
    finds("UPDATE cart SET image = x'01ff' WHERE hex(id) LIKE '%01'", CART_1, "does not decode").await;
}

#[tokio::test]
async fn changes_belong_to_nothing() {
    finds("DELETE FROM stock", "stock 85123A", "changes, but no snapshot").await;
}

#[tokio::test]
async fn a_row_refers_to_nothing() {
    finds("DELETE FROM product", "file", "missing product").await;
}

/// A snapshot and a tail of one entity, and what the audit must say when SQL has done something to them.
struct Damage {
    snapshot: Row,
    tail: Row,
    sql: &'static str,
    found: &'static str,
}

impl Damage {
    /// Both tables of each kind.
    fn to(kind: EntityKind) -> [Self; 2] {
        let (entity, skips, goes) = match kind {
            EntityKind::Cart => {
                let cart = cart(9);
                let entity = (cart.snapshot(), cart.adding("85123A", 1).tail(1));
                (entity, "UPDATE cart SET version = version + 1", "DELETE FROM cart")
            }
            EntityKind::Stock => {
                let shelf = stock("85123A", 40);
                let entity = (shelf.snapshot(), shelf.holding(7, 5, 70_000).tail(1));
                (entity, "UPDATE stock SET version = version + 1", "DELETE FROM stock")
            }
        };
        [(skips, "is missing"), (goes, "changes, but no snapshot")].map(|(sql, found)| {
            let (snapshot, tail) = entity.clone();
            Self { snapshot, tail, sql, found }
        })
    }

    async fn write(&self, store: &dyn Store) {
        store.flush(&rows([self.snapshot.clone()])).await.unwrap();
        store.flush(&rows([self.tail.clone()])).await.unwrap();
    }

    fn is_among(&self, findings: &[Finding]) {
        let subject = self.snapshot.entity.to_string();
        let is_it = |finding: &Finding| finding.subject == subject && finding.what.contains(self.found);
        assert!(findings.iter().any(is_it), "{}\n{findings:#?}", self.sql);
    }
}

#[tokio::test]
async fn no_kind_of_entity_is_passed_over_in_sqlite() {
    for damage in EntityKind::VARIANTS.iter().copied().flat_map(Damage::to) {
        let shop = Sqlite::new().await;
        damage.write(shop.store()).await;
        damage.is_among(&findings(shop.closed().await, damage.sql).await);
    }
}

#[tokio::test]
async fn no_kind_of_entity_is_passed_over_in_postgres() {
    for damage in EntityKind::VARIANTS.iter().copied().flat_map(Damage::to) {
        let shop = Postgres::new().await;
        damage.write(shop.store()).await;
        sqlx::raw_sql(damage.sql).execute(&mut shop.raw().await).await.unwrap();
        damage.is_among(&shop.store().audit().await.unwrap());
    }
}
