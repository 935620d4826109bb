//! The catalogue that the trade file implies: what is sold, under which name, at which price.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::file::Line;
use super::{category, rules};

/// Pence to euro and dollar cents, in hundredths. Fixed and made up, near the rates of 2011.
const EUR_PER_GBP: i64 = 115;
const USD_PER_GBP: i64 = 160;

/// Months that the file covers, for the demo's stock.
const MONTHS: i64 = 9;
const LEAST_STOCK: i64 = 10;

/// The catalogue file's columns, tab-separated.
pub const COLUMNS: [&str; 9] =
    ["product_id", "sku", "name", "category", "attributes", "gbp", "eur", "usd", "on_hand"];

/// One thing to buy: a row of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The SKU of the product's first variant.
    pub product_id: String,
    pub sku: String,
    /// The product's name, common to its variants.
    pub name: String,
    pub category: &'static str,
    pub colour: Option<String>,
    /// In pence.
    pub gbp: i64,
    /// What a new shop starts with: an average month's sales, at least ten.
    pub on_hand: i64,
}

impl Item {
    /// Minor units in each currency that the demo shop sells in.
    pub fn prices(&self) -> [(&'static str, i64); 3] {
        [("GBP", self.gbp), ("EUR", convert(self.gbp, EUR_PER_GBP)), ("USD", convert(self.gbp, USD_PER_GBP))]
    }
}

/// The catalogue of all goods that the file sells, by product and SKU.
pub fn build(lines: &[Line]) -> Vec<Item> {
    let names = names(lines);
    let units = units(lines);
    let products = group_by_product(&names);
    let mut items: Vec<Item> = rules::prices(lines)
        .into_iter()
        .filter_map(|(sku, gbp)| {
            let product = products.get(&sku)?;
            let sold = units.get(sku.as_str()).copied().unwrap_or_default();
            Some(Item {
                product_id: product.id.clone(),
                name: product.name.clone(),
                category: category::of(&product.name),
                colour: product.colour.clone(),
                gbp,
                on_hand: (sold / MONTHS).max(LEAST_STOCK),
                sku,
            })
        })
        .collect();
    items.sort_by(|a, b| (&a.product_id, &a.sku).cmp(&(&b.product_id, &b.sku)));
    items
}

/// The catalogue as tab-separated text with a header line.
pub fn to_tsv(items: &[Item]) -> String {
    let mut text = COLUMNS.join("\t");
    text.push('\n');
    for item in items {
        let attributes = item.colour.as_ref().map(|colour| format!("colour={colour}")).unwrap_or_default();
        let Item { product_id, sku, name, category, on_hand, .. } = item;
        let [gbp, eur, usd] = item.prices().map(|(_, amount)| amount);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{product_id}\t{sku}\t{name}\t{category}\t{attributes}\t{gbp}\t{eur}\t{usd}\t{on_hand}"
        );
    }
    text
}

/// Rounds half up.
fn convert(pence: i64, hundredths: i64) -> i64 {
    (pence * hundredths + 50) / 100
}

/// The description that most sale lines of each code have.
fn names(lines: &[Line]) -> BTreeMap<String, String> {
    let mut counts: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
    for line in lines.iter().filter(|line| rules::sells_goods(line)) {
        *counts.entry(&line.code).or_default().entry(&line.description).or_default() += 1;
    }
    counts
        .into_iter()
        .filter_map(|(code, names)| Some((code.to_owned(), (*rules::most_frequent(&names)?).to_owned())))
        .collect()
}

/// Units that each code sold.
fn units(lines: &[Line]) -> HashMap<&str, i64> {
    let mut units = HashMap::new();
    for line in lines.iter().filter(|line| rules::sells_goods(line)) {
        *units.entry(line.code.as_str()).or_default() += line.quantity;
    }
    units
}

struct Product {
    id: String,
    name: String,
    colour: Option<String>,
}

/// Which product each SKU is a variant of.
///
/// Codes with the same five digits are variants of one product if their names are the same but for one colour. Any
/// other code is a product of its own: the letters alone say little (84029G is a hot water bottle, 84029E another).
fn group_by_product(names: &BTreeMap<String, String>) -> HashMap<String, Product> {
    let mut families: BTreeMap<(&str, String), Vec<(&str, String)>> = BTreeMap::new();
    for (sku, name) in names {
        if let (Some(stem), Some((rest, colour))) = (sku.get(..5), without_colour(name)) {
            families.entry((stem, rest)).or_default().push((sku, colour));
        }
    }
    let mut products: HashMap<String, Product> = names
        .iter()
        .map(|(sku, name)| (sku.clone(), Product { id: sku.clone(), name: name.clone(), colour: None }))
        .collect();
    for ((_, name), members) in families {
        if members.len() > 1 && all_differ(&members) {
            let id = members[0].0.to_owned();
            for (sku, colour) in members {
                let product = Product { id: id.clone(), name: name.clone(), colour: Some(colour) };
                products.insert(sku.to_owned(), product);
            }
        }
    }
    products
}

fn all_differ(members: &[(&str, String)]) -> bool {
    members
        .iter()
        .enumerate()
        .all(|(index, (_, colour))| members[..index].iter().all(|(_, other)| other != colour))
}

const COLOURS: &str = "AMBER AMETHYST BLACK BLUE BROWN BURGUNDY CLEAR COPPER CREAM FUSCHIA GOLD GREEN \
                        GREY IVORY LILAC MAUVE MINT MULTICOLOUR NATURAL ORANGE PEACH PINK PISTACHIO \
                        PURPLE RASPBERRY RED SILVER TURQUOISE VIOLET WHITE YELLOW";
const SHADES: &str = "BABY DARK DUCK HOT LIGHT LIME MIDNIGHT PALE SKY";

fn is_one_of(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

/// A name of three words or more without its one colour, and that colour. `None` if it has no colour, or several.
fn without_colour(name: &str) -> Option<(String, String)> {
    let words: Vec<&str> = name.split(' ').collect();
    let mut positions =
        words.iter().enumerate().filter(|(_, word)| is_one_of(COLOURS, word)).map(|(index, _)| index);
    let (position, None) = (positions.next()?, positions.next()) else { return None };
    let start = if position > 0 && is_one_of(SHADES, words[position - 1]) { position - 1 } else { position };
    let rest = [&words[..start], &words[position + 1..]].concat();
    (rest.len() >= 2).then(|| (rest.join(" "), words[start..=position].join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale(code: &str, name: &str, price: i64) -> Line {
        Line {
            invoice: "536365".into(),
            code: code.into(),
            description: name.into(),
            quantity: 6,
            date: "2010-12-01".into(),
            price,
            customer: None,
            country: "France".into(),
        }
    }

    #[test]
    fn given_names_that_differ_by_one_colour_then_they_are_variants_of_one_product() {
        let lines = [
            sale("15058A", "BLUE POLKADOT GARDEN PARASOL", 795),
            sale("15058B", "HOT PINK POLKADOT GARDEN PARASOL", 795),
            sale("15058C", "ICE CREAM DESIGN GARDEN PARASOL", 795),
        ];
        let items = build(&lines);
        let row = |sku: &str| items.iter().find(|item| item.sku == sku).unwrap();
        assert_eq!(
            (row("15058A").product_id.as_str(), row("15058B").product_id.as_str()),
            ("15058A", "15058A")
        );
        assert_eq!(row("15058B").name, "POLKADOT GARDEN PARASOL");
        assert_eq!(row("15058B").colour.as_deref(), Some("HOT PINK"));
        assert_eq!((row("15058C").product_id.as_str(), row("15058C").colour.as_deref()), ("15058C", None));
    }

    #[test]
    fn given_the_same_colour_twice_or_another_stem_then_each_is_its_own_product() {
        let lines = [
            sale("84279P", "RED DECORATIVE FLASK", 375),
            sale("84279B", "RED DECORATIVE FLASK", 375),
            sale("84280", "BLUE DECORATIVE FLASK", 375),
        ];
        assert!(build(&lines).iter().all(|item| item.product_id == item.sku && item.colour.is_none()));
    }

    #[test]
    fn given_several_names_then_the_most_frequent_is_the_products() {
        let lines = [
            sale("71053", "LAMP", 339),
            sale("71053", "METAL LANTERN", 339),
            sale("71053", "METAL LANTERN", 400),
        ];
        let items = build(&lines);
        assert_eq!(
            (items[0].name.as_str(), items[0].category, items[0].gbp),
            ("METAL LANTERN", "Candles and lights", 339)
        );
    }

    #[test]
    fn given_a_catalogue_then_each_row_has_all_columns_and_converted_prices() {
        let text = to_tsv(&build(&[sale("71053", "METAL LANTERN", 339)]));
        let rows: Vec<Vec<&str>> = text.lines().map(|row| row.split('\t').collect()).collect();
        assert_eq!(rows[0], COLUMNS);
        assert_eq!(
            rows[1],
            ["71053", "71053", "METAL LANTERN", "Candles and lights", "", "339", "390", "542", "10"]
        );
    }
}
