//! Reads all tables for the audit, and asks SQLite about its file.

use smartcart_domain::{
    change::EntityKind,
    id::{CartId, Sku},
};
use smartcart_engine::store::Finding;
use sqlx::{Connection, SqliteConnection};
use strum::VariantArray as _;

use super::{carts, inventory, orders};
use crate::error::TableResult;
use crate::{
    columns::{id_bytes, id_of},
    rows::audit::{Audit, CartColumns, PAGE, StockColumns},
};

pub(super) async fn audit(connection: &mut SqliteConnection) -> TableResult<Vec<Finding>> {
    // All tables of one moment.
    let mut snapshot = connection.begin().await?;
    let mut audit = Audit::default();
    file(&mut audit, &mut snapshot).await?;
    for kind in EntityKind::VARIANTS {
        match kind {
            // Orders are compared with the carts that placed them, and stock with the orders.
            EntityKind::Cart => {
                all_carts(&mut audit, &mut snapshot).await?;
                cart_tails(&mut audit, &mut snapshot).await?;
                all_orders(&mut audit, &mut snapshot).await?;
            }
            EntityKind::Stock => {
                all_stock(&mut audit, &mut snapshot).await?;
                stock_tails(&mut audit, &mut snapshot).await?;
            }
        }
    }
    Ok(audit.findings())
}

/// What SQLite itself can say of its file.
async fn file(audit: &mut Audit, connection: &mut SqliteConnection) -> TableResult<()> {
    let lines: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut *connection).await?;
    for line in lines.iter().filter(|line| *line != "ok") {
        audit.find("file", line);
    }
    let dangling = sqlx::query_scalar!(
        r#"SELECT "table" || ' row refers to a missing ' || parent AS "what!: String"
               FROM pragma_foreign_key_check"#
    )
    .fetch_all(connection)
    .await?;
    for what in dangling {
        audit.find("file", what);
    }
    Ok(())
}

async fn all_carts(audit: &mut Audit, connection: &mut SqliteConnection) -> TableResult<()> {
    let mut after = Vec::new();
    loop {
        let rows = sqlx::query_as!(
            CartColumns,
            r#"SELECT id, version, checking_out AS "checking_out: bool", quantity, subtotal
                   FROM cart WHERE id > ? ORDER BY id LIMIT ?"#,
            after,
            PAGE
        )
        .fetch_all(&mut *connection)
        .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after.clone_from(&last.id);
        for row in rows {
            let id = CartId(id_of(&row.id)?);
            let loaded = carts::load(connection, id).await.map_err(Into::into);
            audit.cart(id, &row, loaded)?;
        }
    }
}

async fn all_orders(audit: &mut Audit, connection: &mut SqliteConnection) -> TableResult<()> {
    let mut before = None;
    loop {
        let page = orders::page(connection, None, before, usize::try_from(PAGE).unwrap_or(1)).await?;
        let Some(last) = page.last() else { break };
        before = Some((last.placed_at, last.id));
        for order in &page {
            let id = id_bytes(order.cart.0);
            let cart = sqlx::query_scalar!("SELECT 1 FROM cart WHERE id = ?", id)
                .fetch_optional(&mut *connection)
                .await?;
            audit.order(order, cart.is_some());
        }
    }
    audit.orders_end();
    Ok(())
}

async fn all_stock(audit: &mut Audit, connection: &mut SqliteConnection) -> TableResult<()> {
    let rows = sqlx::query_as!(
        StockColumns,
        "SELECT sku, version, on_hand, held, sold, stocked, next_deadline FROM stock ORDER BY sku"
    )
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        match row.sku.parse::<Sku>() {
            Ok(sku) => {
                let loaded = inventory::load(connection, &sku).await.map_err(Into::into);
                audit.stock(&sku, &row, loaded)?;
            }
            Err(_) => audit.find(format_args!("stock {}", row.sku), "it is not a SKU"),
        }
    }
    audit.stocks_end();
    Ok(())
}

/// Changes of a cart that is not there.
async fn cart_tails(audit: &mut Audit, connection: &mut SqliteConnection) -> TableResult<()> {
    let carts =
        sqlx::query_scalar!("SELECT DISTINCT cart FROM cart_tail WHERE cart NOT IN (SELECT id FROM cart)")
            .fetch_all(connection)
            .await?;
    for id in carts {
        audit.find(format_args!("cart {}", CartId(id_of(&id)?)), "it has changes, but no snapshot");
    }
    Ok(())
}

/// Changes of a stock that is not there.
async fn stock_tails(audit: &mut Audit, connection: &mut SqliteConnection) -> TableResult<()> {
    let skus =
        sqlx::query_scalar!("SELECT DISTINCT sku FROM stock_tail WHERE sku NOT IN (SELECT sku FROM stock)")
            .fetch_all(connection)
            .await?;
    for sku in skus {
        audit.find(format_args!("stock {sku}"), "it has changes, but no snapshot");
    }
    Ok(())
}
