//! What must never be in the tables of a shop at rest.

use std::collections::BTreeMap;

use smartcart_domain::{
    cart::Cart,
    change::{Change, EntityKey},
    id::{CartId, OrderId, Sku},
    inventory::Stock,
    money::line_total,
    orders::{Order, OrderStatus},
    snapshot::Snapshot,
};
use smartcart_engine::{
    entity::Resident,
    store::{Finding, IndexedColumns},
};

use super::super::{database::State, tables::EntityRow};

#[derive(Default)]
struct Audit {
    findings: Vec<Finding>,
    /// Orders that carts have placed, and whether the cart still works on them.
    placed: BTreeMap<OrderId, (CartId, bool)>,
    /// Units that orders have taken off their shelves for good.
    ordered: BTreeMap<Sku, i64>,
}

pub(super) fn audit(state: &State) -> Vec<Finding> {
    let mut audit = Audit::default();
    let carts = state.tables.entities.iter().filter_map(|(key, row)| match (key, &row.snapshot) {
        (EntityKey::Cart(id), Snapshot::Cart(snapshot)) => Some((*id, row, Cart::clone(&snapshot.cart))),
        _ => None,
    });
    for (id, row, cart) in carts {
        audit.cart(id, row, &replay(cart, &row.tail));
    }
    for row in state.tables.orders.values() {
        audit.order(&row.order, state.tables.cart(row.order.cart).is_some());
    }
    for (order, (cart, _)) in std::mem::take(&mut audit.placed) {
        audit.find(format!("cart {cart}"), format!("it placed order {order}, which is not there"));
    }
    for row in state.tables.entities.values() {
        if let Snapshot::Stock(snapshot) = &row.snapshot {
            audit.stock(row, &replay(snapshot.stock.clone(), &row.tail));
        }
    }
    for row in &state.shards {
        if row.owner.is_some_and(|owner| !state.members.contains_key(&owner)) {
            audit.find(format!("shard {}", row.shard.0), "its owner is no member");
        }
    }
    audit.findings
}

fn replay<E: Resident>(mut entity: E, tail: &[Change]) -> E {
    for change in tail {
        if let Some(events) = E::events(change) {
            entity.advance(events, change.wall);
        }
    }
    entity
}

impl Audit {
    fn find(&mut self, subject: String, what: impl Into<String>) {
        self.findings.push(Finding { subject, what: what.into() });
    }

    fn cart(&mut self, id: CartId, row: &EntityRow, cart: &Cart) {
        let subject = format!("cart {id}");
        if let Some(order) = cart.last_order.as_deref().map(|last| last.id) {
            let settled = cart.checkout.as_ref().is_none_or(|checkout| checkout.order != order);
            if let Some((other, _)) = self.placed.insert(order, (id, settled)) {
                self.find(format!("order {order}"), format!("carts {other} and {id} placed it"));
            }
        }
        if row.version != cart.version || cart.id != id {
            self.find(
                subject,
                format!("its row is at version {}, its content at {}", row.version, cart.version),
            );
        }
    }

    fn order(&mut self, order: &Order, cart_is_there: bool) {
        let subject = format!("order {}", order.id);
        let placed = self.placed.remove(&order.id);
        if !cart_is_there || placed.is_some_and(|(cart, _)| cart != order.cart) {
            self.find(subject.clone(), format!("cart {} has not placed it", order.cart));
        }
        let totals = order
            .lines
            .iter()
            .map(|line| line_total(line.unit_price, line.quantity).filter(|total| *total == line.line_total));
        let sum = totals.sum::<Option<i64>>();
        if sum != Some(order.total) {
            self.find(subject, format!("its lines add up to {sum:?}, its total is {}", order.total));
        }
        if placed.is_none_or(|(_, settled)| settled) && order.status != OrderStatus::Cancelled {
            for line in &order.lines {
                *self.ordered.entry(line.sku.clone()).or_default() += i64::from(line.quantity);
            }
        }
    }

    fn stock(&mut self, row: &EntityRow, stock: &Stock) {
        let subject = format!("stock {}", stock.sku);
        let level = stock.level;
        let held: i64 = stock.holds().map(|(_, hold)| i64::from(hold.quantity)).sum();
        if !level.is_sound() || held != level.held {
            self.find(subject.clone(), format!("{level:?} does not add up; its holds have {held}"));
        }
        if !matches!(&row.columns, IndexedColumns::Stock { level: columns, .. } if *columns == level) {
            self.find(
                subject.clone(),
                format!("its columns are {:?}, its content is {level:?}", row.columns),
            );
        }
        let ordered = self.ordered.get(&stock.sku).copied().unwrap_or(0);
        if level.sold < ordered {
            self.find(subject, format!("{} units were sold, orders have {ordered}", level.sold));
        }
    }
}
