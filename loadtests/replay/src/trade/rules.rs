//! What a line of the file is: goods or not, a sale or not, and at which price a code sells.

use std::collections::{BTreeMap, HashMap};

use super::file::Line;

/// Five-digit codes that name a service or a voucher.
const NUMBERED_NO_GOODS: [&str; 2] = ["22016", "23444"];

/// Most letters that may follow a code's five digits.
const MAX_SUFFIX: usize = 2;

/// Whether a code in capitals names goods: five digits with at most two letters, or the retailer's own `DCGS…`.
pub fn is_goods(code: &str) -> bool {
    if NUMBERED_NO_GOODS.contains(&code) {
        return false;
    }
    if let Some(own) = code.strip_prefix("DCGS") {
        return !own.is_empty() && own.bytes().all(|byte| byte.is_ascii_alphanumeric());
    }
    let Some((digits, suffix)) = code.split_at_checked(5) else { return false };
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && suffix.len() <= MAX_SUFFIX
        && suffix.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// What an invoice is by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvoiceKind {
    Sale,
    /// `C…`: takes goods back.
    Cancellation,
    /// `A…`: adjusts a debt.
    Bookkeeping,
}

/// What the number's first letter says.
pub fn invoice_kind(number: &str) -> InvoiceKind {
    match number.as_bytes().first() {
        Some(b'C') => InvoiceKind::Cancellation,
        Some(b'A') => InvoiceKind::Bookkeeping,
        _ => InvoiceKind::Sale,
    }
}

/// Whether the line sells goods for money.
pub fn sells_goods(line: &Line) -> bool {
    invoice_kind(&line.invoice) == InvoiceKind::Sale
        && line.quantity > 0
        && line.price > 0
        && is_goods(&line.code)
}

/// The price in pence at which each code sells: the one that most of its sale lines have, the lower one in a tie.
pub fn prices(lines: &[Line]) -> HashMap<String, i64> {
    let mut counts: HashMap<&str, BTreeMap<i64, u32>> = HashMap::new();
    for line in lines.iter().filter(|line| sells_goods(line)) {
        *counts.entry(&line.code).or_default().entry(line.price).or_default() += 1;
    }
    counts
        .into_iter()
        .filter_map(|(code, prices)| Some((code.to_owned(), *most_frequent(&prices)?)))
        .collect()
}

/// The key with the highest count; the first in order among equals.
pub fn most_frequent<K: Ord>(counts: &BTreeMap<K, u32>) -> Option<&K> {
    let most = *counts.values().max()?;
    counts.iter().find(|&(_, &count)| count == most).map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(code: &str, quantity: i64, price: i64) -> Line {
        Line {
            invoice: "536365".into(),
            code: code.into(),
            description: "LANTERN".into(),
            quantity,
            date: "2010-12-01".into(),
            price,
            customer: None,
            country: "France".into(),
        }
    }

    #[test]
    fn given_codes_then_goods_are_told_from_charges() {
        for goods in ["85123A", "71053", "15056BL", "DCGS0003", "DCGSSBOY"] {
            assert!(is_goods(goods), "{goods}");
        }
        let charges = [
            "POST",
            "D",
            "M",
            "C2",
            "BANK CHARGES",
            "GIFT_0001_20",
            "23444",
            "22016",
            "DCGS",
            "7105",
            "71053ABC",
        ];
        for charge in charges {
            assert!(!is_goods(charge), "{charge}");
        }
    }

    #[test]
    fn given_several_prices_then_the_most_frequent_wins_and_ties_go_down() {
        let lines = [("1", 300), ("1", 250), ("1", 300), ("2", 200), ("2", 100)];
        let lines: Vec<Line> = lines.iter().map(|(digit, price)| line(&digit.repeat(5), 1, *price)).collect();
        let prices = prices(&lines);
        assert_eq!((prices["11111"], prices["22222"]), (300, 100));
    }

    #[test]
    fn given_no_sale_then_it_sets_no_price() {
        let mut returned = line("71053", 1, 500);
        returned.invoice = "C536365".into();
        assert!(
            prices(&[returned, line("71053", -1, 500), line("71053", 1, 0), line("POST", 1, 100)]).is_empty()
        );
    }
}
