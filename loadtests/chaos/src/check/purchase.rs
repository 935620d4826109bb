//! A checkout moves units from the cart to an order: none is lost, none is in both, and there is one order or none.

use smartcart_testkit::report::Violation;

use crate::cart::Lines;

/// How a checkout ended, after it was asked for as often as it took to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The order's lines as the shop has them now; `None` when it does not know the order that it acknowledged.
    Ordered {
        order: String,
        lines: Option<Lines>,
    },
    Refused,
}

#[derive(Debug, Clone)]
pub struct Purchase {
    pub cart: String,
    /// What was in the cart, acknowledged, when the checkout was asked for.
    pub before: Lines,
    /// Acknowledged while the checkout ran: in the order or in the cart.
    pub added: Lines,
    /// Indeterminate while the checkout ran: in the order, in the cart, or nowhere.
    pub perhaps: Lines,
    pub ending: Ending,
    /// The cart now.
    pub left: Lines,
    /// Its status now.
    pub status: String,
}

pub fn check(purchase: &Purchase) -> Vec<Violation> {
    let Purchase { cart, before, added, perhaps, ending, left, status } = purchase;
    let mut violations = Vec::new();
    if status == "checking_out" {
        violations.push(Violation::new("checkout_stuck", format!("cart {cart} is still checking out")));
    }
    let nothing = Lines::new();
    let ordered = match ending {
        Ending::Ordered { order, lines: None } => {
            violations
                .push(Violation::new("order_lost", format!("order {order} of cart {cart} is not there")));
            return violations;
        }
        Ending::Ordered { lines: Some(lines), .. } => lines,
        Ending::Refused => &nothing,
    };
    let units = |lines: &Lines, sku: &String| u64::from(lines.get(sku).copied().unwrap_or(0));
    let mut skus: Vec<&String> =
        [before, added, perhaps, ordered, left].into_iter().flat_map(|lines| lines.keys()).collect();
    skus.sort();
    skus.dedup();
    for sku in skus {
        let low = units(before, sku) + units(added, sku);
        let high = low + units(perhaps, sku);
        let is = units(ordered, sku) + units(left, sku);
        let whole = *ending == Ending::Refused || units(ordered, sku) >= units(before, sku);
        if !(low..=high).contains(&is) || !whole {
            violations.push(Violation::new(
                "checkout_units",
                format!(
                    "cart {cart}, {sku}: {} ordered and {} left, of {} in the cart, {} added and {} perhaps ({ending:?})",
                    units(ordered, sku),
                    units(left, sku),
                    units(before, sku),
                    units(added, sku),
                    units(perhaps, sku),
                ),
            ));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(of: &[(&str, u32)]) -> Lines {
        of.iter().map(|(sku, quantity)| ((*sku).to_owned(), *quantity)).collect()
    }

    fn ordered(of: &[(&str, u32)]) -> Ending {
        Ending::Ordered { order: "o".into(), lines: Some(lines(of)) }
    }

    fn purchase(ending: Ending, left: &[(&str, u32)]) -> Purchase {
        Purchase {
            cart: "c".into(),
            before: lines(&[("A", 2), ("B", 1)]),
            added: Lines::new(),
            perhaps: Lines::new(),
            ending,
            left: lines(left),
            status: "open".into(),
        }
    }

    fn rules(purchase: &Purchase) -> Vec<&'static str> {
        check(purchase).iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn all_of_it_is_ordered_or_still_in_the_cart() {
        assert_eq!(rules(&purchase(ordered(&[("A", 2), ("B", 1)]), &[])), [""; 0]);
        assert_eq!(rules(&purchase(Ending::Refused, &[("A", 2), ("B", 1)])), [""; 0]);
    }

    #[test]
    fn what_is_in_both_or_in_neither_is_found() {
        assert_eq!(rules(&purchase(ordered(&[("A", 2), ("B", 1)]), &[("A", 2)])), ["checkout_units"]);
        assert_eq!(rules(&purchase(ordered(&[("A", 2)]), &[])), ["checkout_units"]);
        assert_eq!(rules(&purchase(Ending::Refused, &[("A", 2)])), ["checkout_units"]);
    }

    #[test]
    fn an_order_is_of_the_whole_cart() {
        assert_eq!(rules(&purchase(ordered(&[("A", 1), ("B", 1)]), &[("A", 1)])), ["checkout_units"]);
    }

    #[test]
    fn an_add_that_raced_is_in_one_of_the_two() {
        let mut raced = purchase(ordered(&[("A", 3), ("B", 1)]), &[]);
        raced.added = lines(&[("A", 1)]);
        assert_eq!(rules(&raced), [""; 0]);
        raced.left = lines(&[("A", 1)]);
        assert_eq!(rules(&raced), ["checkout_units"], "in both");
        raced.ending = ordered(&[("A", 2), ("B", 1)]);
        assert_eq!(rules(&raced), [""; 0]);
        raced.left = Lines::new();
        assert_eq!(rules(&raced), ["checkout_units"], "in neither");
        raced.perhaps = std::mem::take(&mut raced.added);
        assert_eq!(rules(&raced), [""; 0], "nobody promised it");
    }

    #[test]
    fn a_lost_order_and_a_stuck_checkout_are_found() {
        let lost = purchase(Ending::Ordered { order: "o".into(), lines: None }, &[]);
        assert_eq!(rules(&lost), ["order_lost"]);
        let mut stuck = purchase(Ending::Refused, &[("A", 2), ("B", 1)]);
        stuck.status = "checking_out".into();
        assert_eq!(rules(&stuck), ["checkout_stuck"]);
    }
}
