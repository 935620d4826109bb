//! What must never be in the tables, whichever database they are in. Meant for a shop at rest: what is still on its way
//! from the journal is not here.

use std::{collections::HashMap, fmt::Display};

use smartcart_domain::{
    cart::Cart,
    change::Change,
    entity::Entity,
    id::{CartId, OrderId, Sku},
    inventory::Stock,
    money::line_total,
    orders::{Order, OrderStatus, status_after},
    snapshot::{CartSnapshot, StockSnapshot},
};
use smartcart_engine::entity::Resident;
use smartcart_engine::store::{Finding, StoreError, Stored};

/// Rows read at a time, so that memory does not grow with the shop.
pub(crate) const PAGE: i64 = 500;

#[derive(Default)]
pub(crate) struct Audit {
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

/// A cart's columns.
#[derive(sqlx::FromRow)]
pub(crate) struct CartColumns {
    pub(crate) id: Vec<u8>,
    pub(crate) version: i64,
    pub(crate) checking_out: bool,
    pub(crate) quantity: i64,
    pub(crate) subtotal: Option<i64>,
}

/// A stock's columns.
#[derive(sqlx::FromRow)]
pub(crate) struct StockColumns {
    pub(crate) sku: String,
    pub(crate) version: i64,
    pub(crate) on_hand: i64,
    pub(crate) held: i64,
    pub(crate) sold: i64,
    pub(crate) stocked: i64,
    pub(crate) next_deadline: Option<i64>,
}

type Loaded<S> = Result<Option<Stored<S>>, StoreError>;

impl Audit {
    pub(crate) fn find(&mut self, subject: impl Display, what: impl Display) {
        self.findings.push(Finding { subject: subject.to_string(), what: what.to_string() });
    }

    pub(crate) fn findings(self) -> Vec<Finding> {
        self.findings
    }

    /// What was loaded, when it could be read. Errors that are not damage end the audit.
    fn readable<S>(&mut self, subject: &str, loaded: Loaded<S>) -> Result<Option<Stored<S>>, StoreError> {
        match loaded {
            Err(StoreError::Corrupt(what)) => {
                self.find(subject, what);
                Ok(None)
            }
            loaded => loaded,
        }
    }

    pub(crate) fn cart(
        &mut self,
        id: CartId,
        row: &CartColumns,
        loaded: Loaded<CartSnapshot>,
    ) -> Result<(), StoreError> {
        let subject = format!("cart {id}");
        let Some(stored) = self.readable(&subject, loaded)? else { return Ok(()) };
        let cart = replay(Cart::clone(&stored.snapshot.cart), &stored.tail);
        if cart.id != id {
            self.find(&subject, format_args!("its snapshot is that of cart {}", cart.id));
        }
        if let Some(order) = cart.last_order.as_deref().map(|last| last.id) {
            let settled = cart.checkout.as_ref().is_none_or(|checkout| checkout.order != order);
            if let Some(other) = self.placed.insert(order, Placed { cart: id, settled }) {
                self.find(
                    format_args!("order {order}"),
                    format_args!("carts {} and {id} placed it", other.cart),
                );
            }
        }
        let said = (row.version.cast_unsigned(), row.checking_out, row.quantity, row.subtotal);
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
            self.find(&subject, what);
        }
        Ok(())
    }

    /// After all carts.
    pub(crate) fn order(&mut self, order: &Order, cart_is_there: bool) {
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
        if !cart_is_there {
            self.find(&subject, format_args!("its cart {} is not there", order.cart));
        }
        // A checkout that is not settled has still to sell its holds; a cancelled order gives its units back.
        if placed.is_none_or(|placed| placed.settled) && order.status != OrderStatus::Cancelled {
            for line in &order.lines {
                *self.ordered.entry(line.sku.clone()).or_default() += i64::from(line.quantity);
            }
        }
    }

    /// After the last order.
    pub(crate) fn orders_end(&mut self) {
        for (order, placed) in std::mem::take(&mut self.placed) {
            self.find(
                format_args!("cart {}", placed.cart),
                format_args!("it placed order {order}, which is not there"),
            );
        }
    }

    /// After all orders.
    pub(crate) fn stock(
        &mut self,
        sku: &Sku,
        row: &StockColumns,
        loaded: Loaded<StockSnapshot>,
    ) -> Result<(), StoreError> {
        let subject = format!("stock {sku}");
        let Some(stored) = self.readable(&subject, loaded)? else { return Ok(()) };
        let stock = replay(stored.snapshot.stock, &stored.tail);
        let level = stock.level;
        for what in stock_defects(sku, &stock) {
            self.find(&subject, what);
        }
        let said =
            (row.version.cast_unsigned(), row.on_hand, row.held, row.sold, row.stocked, row.next_deadline);
        let deadline = stock.next_deadline().map(|deadline| deadline.0);
        let is = (level.version, level.on_hand, level.held, level.sold, level.stocked, deadline);
        if said != is {
            let what = format!(
                "its columns (version, on hand, held, sold, stocked, next deadline) are {said:?}, its content is {is:?}"
            );
            self.find(&subject, what);
        }
        let ordered = self.ordered.remove(sku).unwrap_or(0);
        if level.sold < ordered {
            self.find(&subject, format_args!("{} units were sold, orders have {ordered}", level.sold));
        }
        Ok(())
    }

    /// After the last stock.
    pub(crate) fn stocks_end(&mut self) {
        for (sku, units) in std::mem::take(&mut self.ordered) {
            self.find(
                format_args!("stock {sku}"),
                format_args!("it is not there, but orders have {units} units"),
            );
        }
    }
}

fn replay<E: Resident>(mut entity: E, tail: &[Change]) -> E {
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
    if status_after(&order.history) != Some(order.status) || statuses.len() as u64 != order.version {
        defects.push(format!(
            "it is {:?} at version {}, its history is {statuses:?}",
            order.status, order.version
        ));
    }
    defects
}

fn stock_defects(sku: &Sku, stock: &Stock) -> Vec<String> {
    let mut defects = Vec::new();
    let level = stock.level;
    if stock.sku != *sku {
        defects.push(format!("its snapshot is that of {}", stock.sku));
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
