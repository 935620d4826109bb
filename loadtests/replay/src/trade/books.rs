//! Books: orders, and what they sum up to by SKU, day and country.

use std::collections::{BTreeMap, HashMap};

use super::plan::{Plan, Units};

/// An order as a set of books has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The cart's name: invoice and number, `536365/1`.
    pub cart: String,
    /// The invoice's, `YYYY-MM-DD`.
    pub date: String,
    pub country: String,
    pub lines: BTreeMap<String, Sold>,
    pub cancelled: bool,
}

/// A line of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sold {
    pub units: i64,
    /// In pence.
    pub unit_price: i64,
}

/// What orders sum up to. Standing ones and cancelled ones are kept apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub orders: i64,
    pub units: i64,
    /// In pence.
    pub revenue: i64,
    pub cancelled_orders: i64,
    pub cancelled_units: i64,
    /// In pence.
    pub cancelled_revenue: i64,
}

/// The sums of a set of orders by each of the three dimensions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    pub total: Sums,
    pub by_sku: BTreeMap<String, Sums>,
    pub by_day: BTreeMap<String, Sums>,
    pub by_country: BTreeMap<String, Sums>,
}

impl Order {
    pub fn units(&self) -> i64 {
        self.lines.values().map(|sold| sold.units).sum()
    }

    /// In pence.
    pub fn revenue(&self) -> i64 {
        self.lines.values().map(|sold| sold.units * sold.unit_price).sum()
    }
}

impl Sums {
    fn add(&mut self, units: i64, revenue: i64, cancelled: bool) {
        if cancelled {
            self.cancelled_orders += 1;
            self.cancelled_units += units;
            self.cancelled_revenue += revenue;
        } else {
            self.orders += 1;
            self.units += units;
            self.revenue += revenue;
        }
    }
}

impl Ledger {
    /// Sums up the orders. In `by_sku`, `orders` counts the orders that have the SKU.
    pub fn new(orders: &[Order]) -> Self {
        let mut ledger = Self::default();
        for order in orders {
            let (units, revenue) = (order.units(), order.revenue());
            let day = ledger.by_day.entry(order.date.clone()).or_default();
            let country = ledger.by_country.entry(order.country.clone()).or_default();
            for sums in [&mut ledger.total, day, country] {
                sums.add(units, revenue, order.cancelled);
            }
            for (sku, sold) in &order.lines {
                let sums = ledger.by_sku.entry(sku.clone()).or_default();
                sums.add(sold.units, sold.units * sold.unit_price, order.cancelled);
            }
        }
        ledger
    }
}

/// The books that the shop ought to have: every cart of the plan that holds anything is one order, at the catalogue's
/// prices. `reduced` has the carts that the shop had too little stock for, with what they were reduced to.
pub fn expected(plan: &Plan, prices: &HashMap<String, i64>, reduced: &HashMap<String, Units>) -> Vec<Order> {
    let cancelled: Vec<&str> =
        plan.cancellations().map(|cancellation| cancellation.cancels.as_str()).collect();
    let mut orders = Vec::new();
    for purchase in plan.purchases() {
        for (index, cart) in purchase.carts.iter().enumerate() {
            let name = purchase.cart_name(index);
            let units = reduced.get(&name).cloned().unwrap_or_else(|| cart.units());
            let lines: BTreeMap<String, Sold> = units
                .into_iter()
                .filter(|(_, units)| *units > 0)
                .map(|(sku, units)| {
                    let unit_price = prices.get(&sku).copied().unwrap_or_default();
                    (sku, Sold { units, unit_price })
                })
                .collect();
            if !lines.is_empty() {
                orders.push(Order {
                    cart: name,
                    date: purchase.date.clone(),
                    country: purchase.country.clone(),
                    lines,
                    cancelled: cancelled.contains(&purchase.invoice.as_str()),
                });
            }
        }
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trade::plan::{Add, Cancellation, Cart, Event, Purchase};

    fn purchase(invoice: &str, country: &str, adds: &[(&str, i64)]) -> Event {
        let adds =
            adds.iter().map(|(sku, quantity)| Add { sku: (*sku).into(), quantity: *quantity }).collect();
        Event::Purchase(Purchase {
            invoice: invoice.into(),
            customer: Some(1),
            date: "2010-12-01".into(),
            country: country.into(),
            carts: vec![Cart { adds, refused: Vec::new() }],
        })
    }

    fn trade() -> (Plan, HashMap<String, i64>) {
        let cancellation = Cancellation { invoice: "C3".into(), customer: 1, cancels: "2".into() };
        let events = vec![
            purchase("1", "France", &[("A", 2), ("B", 1), ("A", 1)]),
            purchase("2", "Spain", &[("A", 5)]),
            Event::Cancellation(cancellation),
            purchase("4", "Spain", &[]),
        ];
        (Plan { events, ..Plan::default() }, HashMap::from([("A".into(), 100), ("B".into(), 250)]))
    }

    #[test]
    fn given_a_plan_then_each_filled_cart_is_an_order_at_the_catalogues_price() {
        let (plan, prices) = trade();
        let orders = expected(&plan, &prices, &HashMap::new());
        let summary: Vec<_> =
            orders.iter().map(|order| (order.cart.as_str(), order.revenue(), order.cancelled)).collect();
        assert_eq!(summary, [("1/1", 550, false), ("2/1", 500, true)]);
    }

    #[test]
    fn given_orders_then_the_sums_keep_cancelled_ones_apart() {
        let (plan, prices) = trade();
        let ledger = Ledger::new(&expected(&plan, &prices, &HashMap::new()));
        let france = Sums { orders: 1, units: 4, revenue: 550, ..Sums::default() };
        let spain =
            Sums { cancelled_orders: 1, cancelled_units: 5, cancelled_revenue: 500, ..Sums::default() };
        assert_eq!((ledger.by_country["France"], ledger.by_country["Spain"]), (france, spain));
        let a = Sums { orders: 1, units: 3, revenue: 300, ..spain };
        assert_eq!(ledger.by_sku["A"], a);
        assert_eq!(ledger.by_day["2010-12-01"], ledger.total);
    }

    #[test]
    fn given_a_reduced_cart_then_its_order_has_what_was_left() {
        let (plan, prices) = trade();
        let reduced = HashMap::from([
            ("1/1".to_owned(), Units::from([("A".into(), 0), ("B".into(), 1)])),
            ("2/1".to_owned(), Units::from([("A".into(), 0)])),
        ]);
        let orders = expected(&plan, &prices, &reduced);
        assert_eq!(orders.len(), 1);
        assert_eq!((orders[0].units(), orders[0].lines.contains_key("A")), (1, false));
    }
}
