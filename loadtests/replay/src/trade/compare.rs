//! The file's books beside the shop's: every difference, as a line of text.

use std::collections::{BTreeMap, BTreeSet};

use super::books::{Ledger, Order, Sums};
use super::plan::Units;

/// A SKU's stock when it was stocked for the replay, or now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stock {
    pub on_hand: i64,
    pub held: i64,
    pub sold: i64,
}

/// Every difference between the file's orders and the shop's: order by order, and in the sums.
pub fn orders(file: &[Order], shop: &[Order]) -> Vec<String> {
    let mut differences = order_by_order(file, shop);
    let (file, shop) = (Ledger::new(file), Ledger::new(shop));
    for (what, file, shop) in [
        ("SKU", &file.by_sku, &shop.by_sku),
        ("day", &file.by_day, &shop.by_day),
        ("country", &file.by_country, &shop.by_country),
    ] {
        for key in keys(file, shop) {
            let [ours, theirs] = [file, shop].map(|sums| sums.get(key).copied().unwrap_or_default());
            if ours != theirs {
                differences.push(format!(
                    "{what} {key}: the file has {}, the shop has {}",
                    show(&ours),
                    show(&theirs)
                ));
            }
        }
    }
    differences
}

/// Every difference in the stock sums. `before` is each SKU's stock when the replay began, `sold` the units of the
/// standing orders that it made.
pub fn stock(before: &BTreeMap<String, Stock>, now: &BTreeMap<String, Stock>, sold: &Units) -> Vec<String> {
    let mut differences = Vec::new();
    for (sku, before) in before {
        let Some(now) = now.get(sku) else {
            differences.push(format!("stock {sku}: the shop no longer has it"));
            continue;
        };
        let stocked = before.on_hand + before.sold;
        if now.on_hand + now.sold != stocked {
            let (on_hand, sold) = (now.on_hand, now.sold);
            differences.push(format!(
                "stock {sku}: on hand {on_hand} and sold {sold} are not the {stocked} stocked"
            ));
        }
        let (trade, ordered) = (now.sold - before.sold, sold.get(sku).copied().unwrap_or_default());
        if trade != ordered {
            differences.push(format!("stock {sku}: sold {trade}, but its standing orders have {ordered}"));
        }
        if now.on_hand < 0 || ordered > before.on_hand {
            differences.push(format!("stock {sku}: oversold, {ordered} ordered of {}", before.on_hand));
        }
        if now.held != 0 {
            differences.push(format!("stock {sku}: {} still held after all checkouts", now.held));
        }
    }
    differences
}

fn order_by_order(file: &[Order], shop: &[Order]) -> Vec<String> {
    let mut differences = Vec::new();
    let mut theirs: BTreeMap<&str, Vec<&Order>> = BTreeMap::new();
    for order in shop {
        theirs.entry(&order.cart).or_default().push(order);
    }
    for ours in file {
        match theirs.remove(ours.cart.as_str()).as_deref() {
            None | Some([]) => differences.push(format!("order {}: missing in the shop", ours.cart)),
            Some([theirs]) => one_order(ours, theirs, &mut differences),
            Some(several) => {
                differences.push(format!("order {}: {} times in the shop", ours.cart, several.len()));
            }
        }
    }
    differences.extend(theirs.keys().map(|cart| format!("order {cart}: in the shop, but not in the file")));
    differences
}

fn one_order(ours: &Order, theirs: &Order, differences: &mut Vec<String>) {
    let cart = &ours.cart;
    for (what, ours, theirs) in [
        ("date", &ours.date, &theirs.date),
        ("country", &ours.country, &theirs.country),
        ("status", &status(ours), &status(theirs)),
    ] {
        if ours != theirs {
            differences.push(format!("order {cart}: the file's {what} is '{ours}', the shop's '{theirs}'"));
        }
    }
    for sku in keys(&ours.lines, &theirs.lines) {
        let [ours, theirs] = [ours, theirs].map(|order| {
            order
                .lines
                .get(sku)
                .map_or("none".to_owned(), |sold| format!("{} at {}p", sold.units, sold.unit_price))
        });
        if ours != theirs {
            differences.push(format!("order {cart}: of {sku} the file has {ours}, the shop has {theirs}"));
        }
    }
}

fn status(order: &Order) -> String {
    if order.cancelled { "cancelled" } else { "standing" }.to_owned()
}

fn keys<'a, V>(a: &'a BTreeMap<String, V>, b: &'a BTreeMap<String, V>) -> BTreeSet<&'a String> {
    a.keys().chain(b.keys()).collect()
}

fn show(sums: &Sums) -> String {
    let Sums { orders, units, revenue, cancelled_orders, cancelled_units, cancelled_revenue } = sums;
    format!(
        "{orders} orders, {units} units, {revenue}p and cancelled {cancelled_orders} orders, {cancelled_units} units, \
         {cancelled_revenue}p"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trade::books::Sold;

    fn order(cart: &str, units: i64) -> Order {
        Order {
            cart: cart.into(),
            date: "2010-12-01".into(),
            country: "France".into(),
            lines: BTreeMap::from([("A".into(), Sold { units, unit_price: 100 })]),
            cancelled: false,
        }
    }

    #[test]
    fn given_the_same_orders_in_any_order_then_there_is_no_difference() {
        let (first, second) = (order("1/1", 2), order("2/1", 3));
        assert!(orders(&[first.clone(), second.clone()], &[second, first]).is_empty());
    }

    #[test]
    fn given_a_lost_a_doubled_and_a_strange_order_then_each_is_listed() {
        let file = [order("1/1", 2), order("2/1", 3)];
        let shop = [order("2/1", 3), order("2/1", 3), order("9/1", 1)];
        let found = orders(&file, &shop);
        for expected in
            ["order 1/1: missing", "order 2/1: 2 times", "order 9/1: in the shop", "SKU A", "day 2010"]
        {
            assert!(
                found.iter().any(|difference| difference.starts_with(expected)),
                "{expected} in {found:?}"
            );
        }
    }

    #[test]
    fn given_another_unit_price_or_status_then_the_order_and_all_sums_differ() {
        for change in [
            |order: &mut Order| order.cancelled = true,
            |order: &mut Order| order.lines.get_mut("A").unwrap().units = 3,
            |order: &mut Order| order.lines.get_mut("A").unwrap().unit_price = 99,
        ] {
            let mut changed = order("1/1", 2);
            change(&mut changed);
            assert_eq!(orders(&[order("1/1", 2)], &[changed]).len(), 4, "the order, SKU, day and country");
        }
    }

    #[test]
    fn given_stock_that_adds_up_then_there_is_no_difference() {
        let before = BTreeMap::from([("A".to_owned(), Stock { on_hand: 10, held: 0, sold: 4 })]);
        let now = BTreeMap::from([("A".to_owned(), Stock { on_hand: 3, held: 0, sold: 11 })]);
        assert!(stock(&before, &now, &Units::from([("A".into(), 7)])).is_empty());
    }

    #[test]
    fn given_more_ordered_than_stocked_then_it_is_called_oversold() {
        let before = BTreeMap::from([("A".to_owned(), Stock { on_hand: 10, held: 0, sold: 0 })]);
        let now = BTreeMap::from([("A".to_owned(), Stock { on_hand: -1, held: 0, sold: 11 })]);
        let found = stock(&before, &now, &Units::from([("A".into(), 11)]));
        assert_eq!(found, ["stock A: oversold, 11 ordered of 10"]);
    }

    #[test]
    fn given_units_that_vanished_or_are_still_held_then_both_are_listed() {
        let before = BTreeMap::from([("A".to_owned(), Stock { on_hand: 10, held: 0, sold: 0 })]);
        let now = BTreeMap::from([("A".to_owned(), Stock { on_hand: 8, held: 1, sold: 1 })]);
        assert_eq!(stock(&before, &now, &Units::from([("A".into(), 1)])).len(), 2);
    }
}
