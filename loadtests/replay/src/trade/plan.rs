//! What the shoppers do: the file's invoices as purchases and cancellations, in its order.

use std::collections::{BTreeMap, HashMap};

use super::file::Line;
use super::rules::{self, InvoiceKind};

/// Units that one line of a cart may have: the shop's default limit.
pub const LINE_LIMIT: i64 = 999;
/// Lines that one cart may have: the shop's default limit.
pub const CART_LINES: usize = 100;

/// Units by SKU.
pub type Units = BTreeMap<String, i64>;

/// Everything that the shoppers do, and a count of what they leave out.
#[derive(Debug, Default)]
pub struct Plan {
    /// In the file's order.
    pub events: Vec<Event>,
    pub tally: Tally,
}

/// One invoice that leads to requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Purchase(Purchase),
    Cancellation(Cancellation),
}

/// An invoice that sells, or tries to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    pub invoice: String,
    /// `None` for a guest.
    pub customer: Option<u32>,
    /// `YYYY-MM-DD`.
    pub date: String,
    pub country: String,
    /// At least one.
    pub carts: Vec<Cart>,
}

/// One cart's worth of an invoice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cart {
    /// What the shop is to accept, in the file's order; a SKU may come more than once.
    pub adds: Vec<Add>,
    /// What the shop is to refuse, whenever it is sent.
    pub refused: Vec<(Add, Refusal)>,
}

/// One add-item request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Add {
    pub sku: String,
    pub quantity: i64,
}

/// Why the shop is to refuse a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    NoGoods,
    Quantity,
}

/// An invoice that takes back the whole of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    pub invoice: String,
    pub customer: u32,
    /// The purchase's invoice.
    pub cancels: String,
}

/// Lines and invoices of the file by what became of them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    pub lines: BTreeMap<&'static str, u64>,
    pub invoices: BTreeMap<&'static str, u64>,
    /// Sold lines that the file has at another price.
    pub repriced_lines: u64,
    /// In pence: the sold lines at the file's own prices.
    pub revenue_at_file_prices: i64,
}

impl Cart {
    /// What the cart holds once it is filled.
    pub fn units(&self) -> Units {
        let mut units = Units::new();
        for add in &self.adds {
            *units.entry(add.sku.clone()).or_default() += add.quantity;
        }
        units
    }
}

impl Purchase {
    /// What the invoice sells.
    pub fn units(&self) -> Units {
        let mut units = Units::new();
        for (sku, quantity) in self.carts.iter().flat_map(Cart::units) {
            *units.entry(sku).or_default() += quantity;
        }
        units
    }

    /// A cart's name, unique in the file.
    pub fn cart_name(&self, index: usize) -> String {
        format!("{}/{}", self.invoice, index + 1)
    }
}

impl Plan {
    /// The plan for the first `limit` invoices of the file, or all of them. `prices` are those of the whole file.
    pub fn new(lines: &[Line], prices: &HashMap<String, i64>, limit: Option<usize>) -> Self {
        let mut plan = Self::default();
        let mut earlier: HashMap<u32, Vec<Bought>> = HashMap::new();
        for invoice in invoices(lines).into_iter().take(limit.unwrap_or(usize::MAX)) {
            match rules::invoice_kind(&invoice[0].invoice) {
                InvoiceKind::Bookkeeping => plan.tally.count("bookkeeping", invoice.len()),
                InvoiceKind::Sale => plan.purchase(&invoice, prices, &mut earlier),
                InvoiceKind::Cancellation => plan.cancellation(&invoice, &mut earlier),
            }
        }
        plan
    }

    /// Units that the shoppers ask for, cancelled or not.
    pub fn demand(&self) -> Units {
        let mut demand = Units::new();
        for (sku, quantity) in self.purchases().flat_map(Purchase::units) {
            *demand.entry(sku).or_default() += quantity;
        }
        demand
    }

    pub fn purchases(&self) -> impl Iterator<Item = &Purchase> {
        self.events.iter().filter_map(|event| match event {
            Event::Purchase(purchase) => Some(purchase),
            Event::Cancellation(_) => None,
        })
    }

    pub fn cancellations(&self) -> impl Iterator<Item = &Cancellation> {
        self.events.iter().filter_map(|event| match event {
            Event::Purchase(_) => None,
            Event::Cancellation(cancellation) => Some(cancellation),
        })
    }

    fn purchase(
        &mut self,
        lines: &[&Line],
        prices: &HashMap<String, i64>,
        earlier: &mut HashMap<u32, Vec<Bought>>,
    ) {
        let mut filling = Filling::default();
        for line in lines {
            if line.price <= 0 {
                self.tally.line("skipped: no price");
            } else if !rules::is_goods(&line.code) {
                self.tally.line("refused: no goods");
                filling.refuse(line, Refusal::NoGoods);
            } else if filling.add(line) {
                self.tally.line("sold");
                self.tally.revenue_at_file_prices += line.price * line.quantity;
                if prices.get(&line.code) != Some(&line.price) {
                    self.tally.repriced_lines += 1;
                }
            } else {
                self.tally.line("refused: quantity");
                filling.refuse(line, Refusal::Quantity);
            }
        }
        if filling.carts.is_empty() {
            self.tally.invoice("skipped: no line has a price");
            return;
        }
        let Line { invoice, customer, date, country, .. } = lines[0];
        let purchase = Purchase {
            invoice: invoice.clone(),
            customer: *customer,
            date: date.clone(),
            country: country.clone(),
            carts: filling.carts,
        };
        let units = purchase.units();
        self.tally.invoice(if units.is_empty() { "refused: no line is sold" } else { "sold" });
        if let (Some(customer), false) = (customer, units.is_empty()) {
            let bought = Bought { invoice: invoice.clone(), units, cancelled: false };
            earlier.entry(*customer).or_default().push(bought);
        }
        self.events.push(Event::Purchase(purchase));
    }

    fn cancellation(&mut self, lines: &[&Line], earlier: &mut HashMap<u32, Vec<Bought>>) {
        let mut taken_back = Units::new();
        for line in lines.iter().filter(|line| line.price > 0 && rules::is_goods(&line.code)) {
            *taken_back.entry(line.code.clone()).or_default() -= line.quantity;
        }
        let verdict = match lines[0].customer {
            _ if taken_back.is_empty() => "not sent: takes back no goods",
            None => "not sent: a guest's cancellation",
            Some(customer) => {
                let orders = earlier.entry(customer).or_default();
                match orders.iter().rposition(|order| !order.cancelled && order.units == taken_back) {
                    Some(whole) => {
                        let whole = &mut orders[whole];
                        whole.cancelled = true;
                        self.events.push(Event::Cancellation(Cancellation {
                            invoice: lines[0].invoice.clone(),
                            customer,
                            cancels: whole.invoice.clone(),
                        }));
                        "cancelled: the whole of an order"
                    }
                    None if covers(orders, &taken_back) => "not sent: takes back a part",
                    None => "not sent: takes back what was not sold",
                }
            }
        };
        self.tally.count(verdict, lines.len());
    }
}

/// An earlier purchase of a known customer.
struct Bought {
    invoice: String,
    units: Units,
    cancelled: bool,
}

/// Whether the orders, all together and less the cancelled ones, sold at least these units.
fn covers(orders: &[Bought], taken_back: &Units) -> bool {
    taken_back.iter().all(|(sku, units)| {
        let standing = orders.iter().filter(|order| !order.cancelled);
        standing.filter_map(|order| order.units.get(sku)).sum::<i64>() >= *units
    })
}

/// An invoice's carts as they fill up.
#[derive(Default)]
struct Filling {
    carts: Vec<Cart>,
    /// SKU → its cart and units there.
    placed: HashMap<String, (usize, i64)>,
}

impl Filling {
    /// Whether the line fits; if not, nothing changes.
    fn add(&mut self, line: &Line) -> bool {
        let already = self.placed.get(&line.code).copied();
        let (cart, units) = already.unwrap_or((self.placed.len() / CART_LINES, 0));
        if line.quantity < 1 || units + line.quantity > LINE_LIMIT {
            return false;
        }
        self.carts.resize_with(self.carts.len().max(cart + 1), Cart::default);
        self.carts[cart].adds.push(Add { sku: line.code.clone(), quantity: line.quantity });
        self.placed.insert(line.code.clone(), (cart, units + line.quantity));
        true
    }

    /// Notes the line with the cart that has its SKU, else with the last one.
    fn refuse(&mut self, line: &Line, refusal: Refusal) {
        if self.carts.is_empty() {
            self.carts.push(Cart::default());
        }
        let last = self.carts.len() - 1;
        let cart = self.placed.get(&line.code).map_or(last, |(cart, _)| *cart);
        let add = Add { sku: line.code.clone(), quantity: line.quantity };
        self.carts[cart].refused.push((add, refusal));
    }
}

impl Tally {
    fn line(&mut self, what: &'static str) {
        *self.lines.entry(what).or_default() += 1;
    }

    fn invoice(&mut self, what: &'static str) {
        *self.invoices.entry(what).or_default() += 1;
    }

    /// Counts a whole invoice.
    fn count(&mut self, what: &'static str, lines: usize) {
        self.invoice(what);
        *self.lines.entry(what).or_default() += lines as u64;
    }
}

/// The lines by invoice, in the order of the invoices' first lines.
fn invoices(lines: &[Line]) -> Vec<Vec<&Line>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut invoices: Vec<Vec<&Line>> = Vec::new();
    for line in lines {
        let place = *places.entry(&line.invoice).or_insert(invoices.len());
        if place == invoices.len() {
            invoices.push(Vec::new());
        }
        invoices[place].push(line);
    }
    invoices
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(invoice: &str, code: &str, quantity: i64) -> Line {
        Line {
            invoice: invoice.into(),
            code: code.into(),
            description: "LANTERN".into(),
            quantity,
            date: "2010-12-01".into(),
            price: 100,
            customer: Some(17850),
            country: "France".into(),
        }
    }

    fn plan(lines: &[Line]) -> Plan {
        Plan::new(lines, &rules::prices(lines), None)
    }

    fn cancelled(plan: &Plan) -> Vec<&str> {
        plan.cancellations().map(|cancellation| cancellation.cancels.as_str()).collect()
    }

    #[test]
    fn given_a_code_twice_in_an_invoice_then_both_adds_go_to_one_line() {
        let plan = plan(&[line("1", "71053", 6), line("1", "22752", 1), line("1", "71053", 4)]);
        let purchase = plan.purchases().next().unwrap();
        assert_eq!(purchase.carts[0].adds.len(), 3);
        assert_eq!(purchase.units(), Units::from([("71053".into(), 10), ("22752".into(), 1)]));
    }

    #[test]
    fn given_quantities_over_the_limit_then_they_are_refused_and_smaller_ones_still_fit() {
        let plan = plan(&[
            line("1", "71053", 600),
            line("1", "71053", 400),
            line("1", "71053", 399),
            line("1", "22752", 80_995),
        ]);
        let cart = &plan.purchases().next().unwrap().carts[0];
        assert_eq!(cart.units(), Units::from([("71053".into(), LINE_LIMIT)]));
        let refused: Vec<i64> = cart.refused.iter().map(|(add, _)| add.quantity).collect();
        assert_eq!(refused, [400, 80_995]);
        assert_eq!(plan.tally.lines, BTreeMap::from([("sold", 2), ("refused: quantity", 2)]));
    }

    #[test]
    fn given_more_codes_than_a_cart_has_lines_then_a_second_cart_takes_the_rest() {
        let mut lines: Vec<Line> = (10_000..10_101).map(|code| line("1", &code.to_string(), 1)).collect();
        lines.push(line("1", "10000", 1));
        let plan = plan(&lines);
        let carts = &plan.purchases().next().unwrap().carts;
        assert_eq!(carts.iter().map(|cart| cart.units().len()).collect::<Vec<_>>(), [CART_LINES, 1]);
        assert_eq!(carts[0].units()["10000"], 2);
    }

    #[test]
    fn given_charges_and_lines_without_a_price_then_they_are_told_apart() {
        let mut free = line("1", "71053", 1);
        free.price = 0;
        let lines =
            [free.clone(), line("1", "POST", 1), Line { invoice: "2".into(), ..free }, line("A3", "B", 1)];
        let plan = plan(&lines);
        assert_eq!(plan.events.len(), 1, "only the invoice with postage is sent");
        assert!(plan.demand().is_empty());
        let expected = [("skipped: no price", 2), ("refused: no goods", 1), ("bookkeeping", 1)];
        assert_eq!(plan.tally.lines, BTreeMap::from(expected));
    }

    #[test]
    fn given_a_line_at_another_price_then_it_is_counted_and_its_revenue_kept() {
        let dear = Line { price: 150, ..line("2", "71053", 2) };
        let plan = plan(&[line("1", "71053", 1), line("1", "71053", 1), dear]);
        assert_eq!((plan.tally.repriced_lines, plan.tally.revenue_at_file_prices), (1, 500));
    }

    #[test]
    fn given_the_same_goods_taken_back_then_the_latest_such_order_is_cancelled_once() {
        let back = |invoice| line(invoice, "71053", -6);
        let lines = [line("1", "71053", 6), line("2", "71053", 6), back("C3"), back("C4"), back("C5")];
        let plan = plan(&lines);
        assert_eq!(cancelled(&plan), ["2", "1"]);
        assert_eq!(plan.tally.invoices["not sent: takes back what was not sold"], 1);
    }

    #[test]
    fn given_a_part_or_a_stranger_or_a_guest_then_nothing_is_cancelled() {
        let stranger = Line { customer: Some(1), ..line("C3", "71053", -6) };
        let guest = Line { customer: None, ..line("C4", "71053", -6) };
        let lines = [line("1", "71053", 6), line("C2", "71053", -5), stranger, guest, line("C5", "D", -1)];
        let plan = plan(&lines);
        assert_eq!(cancelled(&plan), Vec::<&str>::new());
        let expected = [
            ("sold", 1),
            ("not sent: takes back a part", 1),
            ("not sent: takes back what was not sold", 1),
            ("not sent: a guest's cancellation", 1),
            ("not sent: takes back no goods", 1),
        ];
        assert_eq!(plan.tally.invoices, BTreeMap::from(expected));
    }

    #[test]
    fn given_a_limit_then_only_that_many_invoices_count() {
        let lines = [line("1", "71053", 6), line("2", "71053", 6)];
        let plan = Plan::new(&lines, &rules::prices(&lines), Some(1));
        assert_eq!((plan.events.len(), plan.demand()["71053"]), (1, 6));
    }
}
