//! Reads all tables for the audit.

use smartcart_domain::{
    change::EntityKind,
    id::{CartId, Sku},
};
use smartcart_engine::store::Finding;
use sqlx::{Connection as _, PgConnection};
use strum::VariantArray as _;

use super::{entities, orders};
use crate::{
    columns::{id_bytes, id_of},
    error::TableResult,
    rows::audit::{Audit, CartColumns, PAGE, StockColumns},
};

pub(super) async fn audit(connection: &mut PgConnection) -> TableResult<Vec<Finding>> {
    // All tables of one moment.
    let mut snapshot = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let mut audit = Audit::default();
    journals(&mut audit, &mut snapshot).await?;
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
    snapshot.commit().await?;
    Ok(audit.findings())
}

/// What no member answers for.
async fn journals(audit: &mut Audit, connection: &mut PgConnection) -> TableResult<()> {
    let orphans: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT encode(incarnation, 'hex') FROM entry
         WHERE incarnation NOT IN (SELECT incarnation FROM member)",
    )
    .fetch_all(&mut *connection)
    .await?;
    for incarnation in orphans {
        audit.find(format_args!("journal {incarnation}"), "it has entries, but no member");
    }
    let lost: Vec<i16> = sqlx::query_scalar(
        "SELECT id FROM shard WHERE owner IS NOT NULL AND owner NOT IN (SELECT incarnation FROM member)",
    )
    .fetch_all(connection)
    .await?;
    for shard in lost {
        audit.find(format_args!("shard {shard}"), "its owner is no member");
    }
    Ok(())
}

async fn all_carts(audit: &mut Audit, connection: &mut PgConnection) -> TableResult<()> {
    let mut after = Vec::new();
    loop {
        let rows: Vec<CartColumns> = sqlx::query_as(
            "SELECT id, version, checking_out, quantity, subtotal FROM cart WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(&after)
        .bind(PAGE)
        .fetch_all(&mut *connection)
        .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after.clone_from(&last.id);
        for row in rows {
            let id = CartId(id_of(&row.id)?);
            let loaded = entities::load_cart(connection, id).await.map_err(Into::into);
            audit.cart(id, &row, loaded)?;
        }
    }
}

async fn all_orders(audit: &mut Audit, connection: &mut PgConnection) -> TableResult<()> {
    let mut before = None;
    loop {
        let page = orders::page(connection, None, before, usize::try_from(PAGE).unwrap_or(1)).await?;
        let Some(last) = page.last() else { break };
        before = Some((last.placed_at, last.id));
        for order in &page {
            let cart = sqlx::query("SELECT 1 FROM cart WHERE id = $1")
                .bind(id_bytes(order.cart.0))
                .fetch_optional(&mut *connection)
                .await?;
            audit.order(order, cart.is_some());
        }
    }
    audit.orders_end();
    Ok(())
}

async fn all_stock(audit: &mut Audit, connection: &mut PgConnection) -> TableResult<()> {
    let rows: Vec<StockColumns> = sqlx::query_as(
        "SELECT sku, version, on_hand, held, sold, stocked, next_deadline FROM stock ORDER BY sku",
    )
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        match row.sku.parse::<Sku>() {
            Ok(sku) => {
                let loaded = entities::load_stock(connection, &sku).await.map_err(Into::into);
                audit.stock(&sku, &row, loaded)?;
            }
            Err(_) => audit.find(format_args!("stock {}", row.sku), "it is not a SKU"),
        }
    }
    audit.stocks_end();
    Ok(())
}

/// Changes of a cart that is not there.
async fn cart_tails(audit: &mut Audit, connection: &mut PgConnection) -> TableResult<()> {
    let carts: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT DISTINCT cart FROM cart_tail WHERE cart NOT IN (SELECT id FROM cart)")
            .fetch_all(connection)
            .await?;
    for id in carts {
        audit.find(format_args!("cart {}", CartId(id_of(&id)?)), "it has changes, but no snapshot");
    }
    Ok(())
}

/// Changes of a stock that is not there.
async fn stock_tails(audit: &mut Audit, connection: &mut PgConnection) -> TableResult<()> {
    let skus: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT sku FROM stock_tail WHERE sku NOT IN (SELECT sku FROM stock)")
            .fetch_all(connection)
            .await?;
    for sku in skus {
        audit.find(format_args!("stock {sku}"), "it has changes, but no snapshot");
    }
    Ok(())
}
