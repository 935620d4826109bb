//! What the replay did and found, for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use smartcart_replay::trade::books::{Ledger, Sums};
use smartcart_replay::trade::plan::Plan;

use crate::state::Known;

/// The pieces of the report.
pub(crate) struct Report<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) known: &'a Known,
    pub(crate) shop: &'a Ledger,
    pub(crate) scarce: bool,
    pub(crate) requests: u64,
    pub(crate) retried: u64,
    pub(crate) took: Duration,
    pub(crate) differences: &'a [String],
}

impl Report<'_> {
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let tally = &self.plan.tally;
        counts(out, "Invoices of the file", tally.invoices.iter().map(|(what, count)| (*what, *count)))?;
        counts(out, "Lines of the file", tally.lines.iter().map(|(what, count)| (*what, *count)))?;
        let refused = self.refused();
        counts(
            out,
            "Lines that the shop refused, in its words",
            refused.iter().map(|(code, n)| (*code, *n)),
        )?;

        let Sums { orders, units, revenue, cancelled_orders, cancelled_units, cancelled_revenue } =
            self.shop.total;
        writeln!(out, "The shop's books")?;
        writeln!(out, "  {:<42}{:>12} orders {units:>10} units {:>16}", "standing", orders, pounds(revenue))?;
        let cancelled = pounds(cancelled_revenue);
        writeln!(
            out,
            "  {:<42}{cancelled_orders:>12} orders {cancelled_units:>10} units {cancelled:>16}",
            "cancelled"
        )?;
        let (skus, days) = (self.shop.by_sku.len(), self.shop.by_day.len());
        writeln!(out, "  {skus} SKUs, {days} days, {} countries", self.shop.by_country.len())?;
        if self.scarce {
            self.scarcity(out)?;
        } else {
            let off = revenue + cancelled_revenue - tally.revenue_at_file_prices;
            writeln!(
                out,
                "  {} lines have another price in the file than the catalogue's; by the file's prices the same goods \
                 made {}, {} {}",
                tally.repriced_lines,
                pounds(tally.revenue_at_file_prices),
                pounds(off.abs()),
                if off > 0 { "less" } else { "more" },
            )?;
        }

        writeln!(
            out,
            "\n{} requests in {:.1} s, {} of them tried again",
            self.requests,
            self.took.as_secs_f64(),
            self.retried
        )?;
        for difference in self.differences {
            writeln!(out, "DIFFERENCE {difference}")?;
        }
        match self.differences.len() {
            0 => writeln!(out, "The shop's books are the file's: no difference."),
            count => writeln!(out, "{count} differences between the shop's books and the file's."),
        }
    }

    fn scarcity(&self, out: &mut String) -> std::fmt::Result {
        let wanted: i64 = self.plan.demand().values().sum();
        let got = self.shop.total.units + self.shop.total.cancelled_units;
        let dropped = self
            .known
            .closed
            .iter()
            .filter(|(cart, order)| order.is_none() && self.known.reduced.contains_key(*cart));
        writeln!(
            out,
            "  scarce: {} carts reduced, {} of them to nothing; {got} of {wanted} units asked for were sold",
            self.known.reduced.len(),
            dropped.count(),
        )
    }

    fn refused(&self) -> BTreeMap<&str, u64> {
        let mut refused = BTreeMap::new();
        for (code, count) in self.known.filled.values().flat_map(|filled| &filled.refused) {
            *refused.entry(code.as_str()).or_default() += u64::from(*count);
        }
        refused
    }
}

fn counts<'a>(
    out: &mut String,
    title: &str,
    counts: impl Iterator<Item = (&'a str, u64)> + Clone,
) -> std::fmt::Result {
    let total: u64 = counts.clone().map(|(_, count)| count).sum();
    writeln!(out, "{title}: {total}")?;
    for (what, count) in counts {
        writeln!(out, "  {what:<42}{count:>12}")?;
    }
    writeln!(out)
}

/// Pence as pounds: `£1,234.05`.
fn pounds(pence: i64) -> String {
    let (pounds, rest) = (pence / 100, (pence % 100).abs());
    let digits = pounds.abs().to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if pence < 0 { "-" } else { "" };
    format!("{sign}£{grouped}.{rest:02}")
}

#[cfg(test)]
mod tests {
    use super::pounds;

    #[test]
    fn given_pence_then_pounds_are_grouped() {
        for (pence, text) in [(5, "£0.05"), (123_405, "£1,234.05"), (-100_000_000, "-£1,000,000.00")] {
            assert_eq!(pounds(pence), text);
        }
    }
}
