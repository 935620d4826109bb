//! A Markdown table: a heading line, and a line for each row.

use std::fmt;

#[derive(Debug)]
pub struct Table {
    /// Those that begin with `#` are numbers, and stand on the right.
    headings: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub const fn new(headings: &'static [&'static str]) -> Self {
        Self { headings, rows: Vec::new() }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.headings.len(), "a cell for each heading");
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headings.iter().map(|heading| heading.trim_start_matches('#')).collect();
        let rules = self.headings.iter().map(|heading| if heading.starts_with('#') { "---:" } else { "---" });
        writeln!(f, "| {} |", names.join(" | "))?;
        writeln!(f, "|{}|", rules.collect::<Vec<_>>().join("|"))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_on_the_right() {
        let mut table = Table::new(&["what", "#how many"]);
        table.row(vec!["carts".into(), "3".into()]);
        assert_eq!(table.to_string(), "| what | how many |\n|---|---:|\n| carts | 3 |\n");
    }
}
