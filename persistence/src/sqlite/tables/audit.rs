//! Looks through the tables for what must never be. Meant for a shop at rest: what is still on its way from the
//! journal is not here.

use std::{collections::HashMap, fmt::Display};

use smartcart_engine::{
    cart::Cart,
    commit::Change,
    entity::Entity,
    id::{CartId, OrderId, Sku},
    inventory::Stock,
    money::line_total,
    orders::{Order, OrderStatus},
    store::{Finding, StoreError},
};
use sqlx::{Connection, SqliteConnection};

use super::{TableResult, carts, inventory, orders};
use crate::sqlite::columns::{id_bytes, id_of, unsigned};

/// Rows read at a time, so that memory does not grow with the shop.
const PAGE: usize = 500;

#[derive(Default)]
struct Audit {
    findings: Vec<Finding>,
    /// Orders that a cart says it has placed, and whether it still works on them.
    placed: HashMap<OrderId, Placed>,
    /// Units of each SKU that orders have taken off the shelf for good.
    ordered: HashMap<Sku, i64>,
}

struct Placed {
    cart: CartId,
    settled: bool,
}

pub(super) async fn audit(connection: &mut SqliteConnection) -> TableResult<Vec<Finding>> {
    // All tables of one moment.
    let mut snapshot = connection.begin().await?;
    let mut audit = Audit::default();
    audit.file(&mut snapshot).await?;
    audit.carts(&mut snapshot).await?;
    audit.orders(&mut snapshot).await?;
    audit.stock(&mut snapshot).await?;
    audit.tails(&mut snapshot).await?;
    Ok(audit.findings)
}

impl Audit {
    fn find(&mut self, subject: impl Display, what: impl Display) {
        self.findings.push(Finding { subject: subject.to_string(), what: what.to_string() });
    }

    /// What SQLite itself can say of its file.
    async fn file(&mut self, connection: &mut SqliteConnection) -> TableResult<()> {
        let lines: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut *connection).await?;
        for line in lines.iter().filter(|line| *line != "ok") {
            self.find("file", line);
        }
        let dangling = sqlx::query_scalar!(
            r#"SELECT "table" || ' row refers to a missing ' || parent AS "what!: String"
               FROM pragma_foreign_key_check"#
        )
        .fetch_all(connection)
        .await?;
        for what in dangling {
            self.find("file", what);
        }
        Ok(())
    }

    async fn carts(&mut self, connection: &mut SqliteConnection) -> TableResult<()> {
        let mut after = Vec::new();
        loop {
            let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let rows = sqlx::query!(
                r#"SELECT id, version, checking_out AS "checking_out: bool", quantity, subtotal
                   FROM cart WHERE id > ? ORDER BY id LIMIT ?"#,
                after,
                limit
            )
            .fetch_all(&mut *connection)
            .await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after.clone_from(&last.id);
            for row in rows {
                let id = CartId(id_of(&row.id)?);
                let stored = match readable(carts::load(connection, id).await)? {
                    Ok(Some(stored)) => stored,
                    Ok(None) => continue,
                    Err(what) => {
                        self.find(format_args!("cart {id}"), what);
                        continue;
                    }
                };
                let cart = replay(Cart::clone(&stored.image.cart), &stored.tail);
                self.cart(id, &cart);
                let said = (unsigned(row.version), row.checking_out, row.quantity, row.subtotal);
                let is = (
                    cart.version,
                    cart.checkout.is_some(),
                    i64::try_from(cart.quantity()).unwrap_or(i64::MAX),
                    cart.subtotal(),
                );
                if said != is {
                    let what = format!(
                        "its columns (version, checking out, quantity, subtotal) are {said:?}, its content is {is:?}"
                    );
                    self.find(format_args!("cart {id}"), what);
                }
            }
        }
    }

    fn cart(&mut self, id: CartId, cart: &Cart) {
        if cart.id != id {
            self.find(format_args!("cart {id}"), format_args!("its image is that of cart {}", cart.id));
        }
        if let Some(order) = cart.last_order {
            let settled = cart.checkout.as_ref().is_none_or(|checkout| checkout.order != order);
            if let Some(other) = self.placed.insert(order, Placed { cart: id, settled }) {
                self.find(
                    format_args!("order {order}"),
                    format_args!("carts {} and {id} placed it", other.cart),
                );
            }
        }
    }

    async fn orders(&mut self, connection: &mut SqliteConnection) -> TableResult<()> {
        let mut before = None;
        loop {
            let page = orders::page(connection, None, before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some((last.placed_at, last.id));
            for order in &page {
                self.order(connection, order).await?;
            }
        }
        for (order, placed) in std::mem::take(&mut self.placed) {
            self.find(
                format_args!("cart {}", placed.cart),
                format_args!("it placed order {order}, which is not there"),
            );
        }
        Ok(())
    }

    async fn order(&mut self, connection: &mut SqliteConnection, order: &Order) -> TableResult<()> {
        let subject = format!("order {}", order.id);
        for what in order_defects(order) {
            self.find(&subject, what);
        }
        let placed = self.placed.remove(&order.id);
        if let Some(placed) = &placed
            && placed.cart != order.cart
        {
            self.find(&subject, format_args!("cart {} placed it, it says cart {}", placed.cart, order.cart));
        }
        let id = id_bytes(order.cart.0);
        let cart =
            sqlx::query_scalar!("SELECT 1 FROM cart WHERE id = ?", id).fetch_optional(connection).await?;
        if cart.is_none() {
            self.find(&subject, format_args!("its cart {} is not there", order.cart));
        }
        // A checkout that is not settled has still to sell its holds; a cancelled order gives its units back.
        if placed.is_none_or(|placed| placed.settled) && order.status != OrderStatus::Cancelled {
            for line in &order.lines {
                *self.ordered.entry(line.sku.clone()).or_default() += i64::from(line.quantity);
            }
        }
        Ok(())
    }

    async fn stock(&mut self, connection: &mut SqliteConnection) -> TableResult<()> {
        let rows = sqlx::query!(
            "SELECT sku, version, on_hand, held, sold, stocked, next_deadline FROM stock ORDER BY sku"
        )
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            let subject = format!("stock {}", row.sku);
            let Ok(sku) = row.sku.parse::<Sku>() else {
                self.find(&subject, "it is not a SKU");
                continue;
            };
            let stored = match readable(inventory::load(connection, &sku).await)? {
                Ok(Some(stored)) => stored,
                Ok(None) => continue,
                Err(what) => {
                    self.find(&subject, what);
                    continue;
                }
            };
            let stock = replay(stored.image.stock, &stored.tail);
            let level = stock.level;
            for what in stock_defects(&sku, &stock) {
                self.find(&subject, what);
            }
            let said =
                (unsigned(row.version), row.on_hand, row.held, row.sold, row.stocked, row.next_deadline);
            let deadline = stock.next_deadline().map(|deadline| deadline.0);
            let is = (level.version, level.on_hand, level.held, level.sold, level.stocked, deadline);
            if said != is {
                let what = format!(
                    "its columns (version, on hand, held, sold, stocked, next deadline) are {said:?}, its content is {is:?}"
                );
                self.find(&subject, what);
            }
            let ordered = self.ordered.remove(&sku).unwrap_or(0);
            if level.sold < ordered {
                self.find(&subject, format_args!("{} units were sold, orders have {ordered}", level.sold));
            }
        }
        for (sku, units) in std::mem::take(&mut self.ordered) {
            self.find(
                format_args!("stock {sku}"),
                format_args!("it is not there, but orders have {units} units"),
            );
        }
        Ok(())
    }

    /// Changes of an entity that is not there.
    async fn tails(&mut self, connection: &mut SqliteConnection) -> TableResult<()> {
        let carts = sqlx::query_scalar!(
            "SELECT DISTINCT cart FROM cart_tail WHERE cart NOT IN (SELECT id FROM cart)"
        )
        .fetch_all(&mut *connection)
        .await?;
        for id in carts {
            self.find(format_args!("cart {}", CartId(id_of(&id)?)), "it has changes, but no image");
        }
        let skus = sqlx::query_scalar!(
            "SELECT DISTINCT sku FROM stock_tail WHERE sku NOT IN (SELECT sku FROM stock)"
        )
        .fetch_all(connection)
        .await?;
        for sku in skus {
            self.find(format_args!("stock {sku}"), "it has changes, but no image");
        }
        Ok(())
    }
}

/// What was loaded, or why it is damaged; other errors end the audit.
fn readable<T>(loaded: TableResult<T>) -> TableResult<Result<T, String>> {
    match loaded.map_err(StoreError::from) {
        Ok(value) => Ok(Ok(value)),
        Err(StoreError::Corrupt(what)) => Ok(Err(what)),
        Err(error) => Err(error.into()),
    }
}

fn replay<E: Entity>(mut entity: E, tail: &[Change]) -> E {
    for change in tail {
        if let Some(events) = E::events(change) {
            entity.advance(events, change.wall);
        }
    }
    entity
}

fn order_defects(order: &Order) -> Vec<String> {
    let mut defects = Vec::new();
    for line in &order.lines {
        if line_total(line.unit_price, line.quantity) != Some(line.line_total) {
            defects.push(format!(
                "line {}: {} units at {} are not {}",
                line.sku, line.quantity, line.unit_price, line.line_total
            ));
        }
    }
    let sum = order.lines.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.line_total));
    if sum != Some(order.total) {
        defects.push(format!("its lines add up to {sum:?}, its total is {}", order.total));
    }
    let statuses: Vec<_> = order.history.iter().map(|change| change.status).collect();
    if statuses.last() != Some(&order.status) || statuses.len() as u64 != order.version {
        defects.push(format!(
            "it is {:?} at version {}, its history is {statuses:?}",
            order.status, order.version
        ));
    }
    if let Some(pair) = statuses.windows(2).find(|pair| !pair[0].next().contains(&pair[1])) {
        defects.push(format!("it went from {:?} to {:?}", pair[0], pair[1]));
    }
    defects
}

fn stock_defects(sku: &Sku, stock: &Stock) -> Vec<String> {
    let mut defects = Vec::new();
    let level = stock.level;
    if stock.sku != *sku {
        defects.push(format!("its image is that of {}", stock.sku));
    }
    if !level.is_sound() {
        defects.push(format!(
            "on hand {}, held {}, sold {} and stocked {} do not go together",
            level.on_hand, level.held, level.sold, level.stocked
        ));
    }
    let held: i64 = stock.holds().map(|(_, hold)| i64::from(hold.quantity)).sum();
    if held != level.held {
        defects.push(format!("its holds add up to {held}, it says {}", level.held));
    }
    defects
}
