//! The trade file: gzipped CSV, one invoice line a row.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use serde::Deserialize;

/// One line of an invoice, as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub invoice: String,
    /// The stock code in capitals.
    pub code: String,
    /// With runs of blanks made one and a leading `*` dropped; may be empty.
    pub description: String,
    pub quantity: i64,
    /// `YYYY-MM-DD`.
    pub date: String,
    /// In pence; a fraction of a penny is rounded, half away from zero.
    pub price: i64,
    /// `None` for a guest.
    pub customer: Option<u32>,
    pub country: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    invoice_no: String,
    stock_code: String,
    description: String,
    quantity: String,
    invoice_date: String,
    unit_price: String,
    #[serde(rename = "CustomerID")]
    customer_id: String,
    country: String,
}

/// Every line of the gzipped file at `path`, in its order.
pub fn read(path: &Path) -> Result<Vec<Line>> {
    let file = File::open(path).with_context(|| format!("cannot open the trade file {}", path.display()))?;
    parse(GzDecoder::new(file)).with_context(|| format!("in {}", path.display()))
}

/// Every line of a CSV with a header.
pub fn parse(csv: impl Read) -> Result<Vec<Line>> {
    csv::Reader::from_reader(csv)
        .into_deserialize()
        .enumerate()
        .map(|(index, row)| {
            row.map_err(Into::into)
                .and_then(line)
                .with_context(|| format!("row {} of the trade file", index + 1))
        })
        .collect()
}

fn line(row: Row) -> Result<Line> {
    let date = row.invoice_date.split(' ').next().unwrap_or_default();
    ensure!(
        date.len() == 10 && date.split('-').count() == 3,
        "'{}' is no date of the form YYYY-MM-DD",
        row.invoice_date
    );
    ensure!(!row.invoice_no.is_empty(), "the invoice has no number");
    Ok(Line {
        code: row.stock_code.trim().to_uppercase(),
        description: clean(&row.description),
        quantity: integer(&row.quantity)?,
        date: date.to_owned(),
        price: pence(&row.unit_price)?,
        customer: customer(&row.customer_id)?,
        country: row.country,
        invoice: row.invoice_no,
    })
}

fn clean(description: &str) -> String {
    let words: Vec<&str> = description.trim_start_matches('*').split_whitespace().collect();
    words.join(" ")
}

fn customer(text: &str) -> Result<Option<u32>> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = integer(text)?;
    Ok(Some(u32::try_from(number).with_context(|| format!("'{text}' is no customer's number"))?))
}

/// A whole number that may be written with a zero fraction: `6`, `-6.0`.
fn integer(text: &str) -> Result<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.bytes().any(|digit| digit != b'0') {
        bail!("'{text}' is no whole number");
    }
    whole.parse().with_context(|| format!("'{text}' is no whole number"))
}

/// Pounds as decimal text to pence, without a detour through floating point.
fn pence(text: &str) -> Result<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let well_formed =
        !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|digit| digit.is_ascii_digit());
    ensure!(well_formed, "'{text}' is no price");
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    let amount = format!("{whole}{thousandths}")
        .parse::<i64>()
        .ok()
        .and_then(|thousandths| thousandths.checked_add(5))
        .with_context(|| format!("the price '{text}' is too large"))?
        / 10;
    Ok(if negative { -amount } else { amount })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

    fn parsed(rows: &str) -> Result<Vec<Line>> {
        parse(format!("{HEADER}{rows}").as_bytes())
    }

    #[test]
    fn given_a_sale_line_then_every_column_is_read() {
        let rows =
            "536365,85123a, WHITE  HANGING HEART ,6.0,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n";
        let expected = Line {
            invoice: "536365".into(),
            code: "85123A".into(),
            description: "WHITE HANGING HEART".into(),
            quantity: 6,
            date: "2010-12-01".into(),
            price: 255,
            customer: Some(17850),
            country: "United Kingdom".into(),
        };
        assert_eq!(parsed(rows).unwrap(), [expected]);
    }

    #[test]
    fn given_no_customer_then_the_line_is_a_guests() {
        let rows = "C536,POST,POSTAGE,-1.0,2010-12-01 08:26:00,18.0,,France\n";
        let line = parsed(rows).unwrap().remove(0);
        assert_eq!((line.customer, line.quantity, line.price), (None, -1, 1800));
    }

    #[test]
    fn given_decimal_text_then_pence_are_exact() {
        let cases =
            [("2.55", 255), ("0.1", 10), ("12", 1200), ("0.001", 0), ("0.005", 1), ("-11062.06", -1_106_206)];
        for (text, expected) in cases {
            assert_eq!(pence(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn given_nonsense_then_the_row_is_named() {
        for broken in ["6.5", "six", "", "1e3"] {
            let rows = format!("1,2,X,{broken},2010-12-01 08:26:00,1.0,,France\n");
            let error = parsed(&rows).unwrap_err();
            assert!(format!("{error:#}").contains("row 1"), "{error:#}");
        }
        assert!(pence("1e3").is_err() && pence("").is_err() && pence("99999999999999999999").is_err());
    }
}
