//! The rules over the whole trade file: nothing is left uncounted, and the counts are known.

use std::collections::HashMap;
use std::path::Path;

use smartcart_replay::trade::books::{self, Ledger};
use smartcart_replay::trade::plan::{CART_LINES, LINE_LIMIT, Plan};
use smartcart_replay::trade::{file, rules};

#[test]
fn given_the_whole_file_then_every_line_and_invoice_is_accounted_for() {
    let lines =
        file::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/online-retail.csv.gz")).unwrap();
    let prices = rules::prices(&lines);
    let plan = Plan::new(&lines, &prices, None);

    assert_eq!(plan.tally.lines.values().sum::<u64>(), 320_705);
    assert_eq!(plan.tally.invoices.values().sum::<u64>(), 16_459);
    assert_eq!(plan.tally.lines["sold"], 311_405);
    assert_eq!(plan.tally.invoices["cancelled: the whole of an order"], 74);
    assert_eq!(plan.cancellations().count(), 74);

    let carts = || plan.purchases().flat_map(|purchase| &purchase.carts);
    assert!(carts().all(|cart| cart.units().len() <= CART_LINES));
    assert!(carts().all(|cart| cart.units().values().all(|units| (1..=LINE_LIMIT).contains(units))));

    let total = Ledger::new(&books::expected(&plan, &prices, &HashMap::new())).total;
    assert_eq!(total.units + total.cancelled_units, plan.demand().values().sum::<i64>());
    assert_eq!(total.orders + total.cancelled_orders, 12_981);
    assert_eq!(
        (total.units + total.cancelled_units, total.revenue + total.cancelled_revenue),
        (3_127_428, 600_436_973)
    );
}
