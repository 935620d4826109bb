//! The module graph of small crates.

use std::collections::BTreeMap;

use crate::modules::ModuleTree;
use crate::source::SourceFile;

/// Each cycle's modules, in a library whose files are given by path and text.
fn cycles(files: &[(&str, &str)]) -> Vec<String> {
    let parse = |(path, text): &(&str, &str)| {
        let path = format!("shop/src/{path}");
        (path.clone(), SourceFile::parse(&path, (*text).to_owned()))
    };
    let files: BTreeMap<_, _> = files.iter().map(parse).collect();
    let graph = ModuleTree::read("shop/src/lib.rs", "small-shop", &files).graph();
    graph.cycles().iter().map(|cycle| cycle.modules.join(" ")).collect()
}

const NONE: [&str; 0] = [];

#[test]
fn imports_one_way_are_no_cycle() {
    let files = [
        ("lib.rs", "mod cart; mod money;"),
        ("cart.rs", "use crate::money::Price;"),
        ("money.rs", "struct Price;"),
    ];
    assert_eq!(cycles(&files), NONE);
}

#[test]
fn two_modules_that_import_each_other_are_a_cycle() {
    let files = [
        ("lib.rs", "mod cart; mod money;"),
        ("cart.rs", "use crate::money::Price; pub struct Cart;"),
        ("money.rs", "fn total(cart: &super::cart::Cart) {}"),
    ];
    assert_eq!(cycles(&files), ["cart money"]);
}

#[test]
fn a_re_export_leads_to_the_module_that_defines_the_name() {
    let files = [
        ("lib.rs", "mod cart; mod money; pub use money::Price;"),
        ("cart.rs", "pub(crate) struct Cart; fn f(price: small_shop::Price) {}"),
        ("money.rs", "use crate::cart::Cart; pub struct Price;"),
    ];
    assert_eq!(cycles(&files), ["cart crate money"]);
}

#[test]
fn a_glob_re_export_is_followed() {
    let files = [
        ("lib.rs", "mod cart; mod prelude; mod stock; mod money;"),
        ("prelude.rs", "pub(crate) use crate::money::*; pub(crate) use crate::stock::*;"),
        ("money.rs", "pub(crate) struct Price;"),
        ("stock.rs", "pub(crate) struct Level; fn f() { crate::cart::add() }"),
        ("cart.rs", "use crate::prelude::*; pub(crate) fn add() -> Level { Level }"),
    ];
    assert_eq!(cycles(&files), ["cart prelude stock"]);
}

#[test]
fn a_parent_that_re_exports_a_child_which_imports_it_is_a_cycle() {
    let files = [
        ("lib.rs", "mod cart;"),
        ("cart/mod.rs", "mod decide; pub use decide::decide; pub struct Cart;"),
        ("cart/decide.rs", "use super::Cart; pub fn decide(cart: &Cart) {}"),
    ];
    assert_eq!(cycles(&files), ["cart cart::decide"]);
}

#[test]
fn a_child_that_implements_its_parents_methods_is_no_cycle() {
    let files = [
        ("lib.rs", "mod cart;"),
        (
            "cart.rs",
            "mod decide; pub struct Cart; impl Cart { fn f(&self) { let decide = 1; self.decide(); g(decide) } }",
        ),
        ("cart/decide.rs", "use super::*; impl Cart { pub(super) fn decide(&self) {} }"),
    ];
    assert_eq!(cycles(&files), NONE);
}

#[test]
fn a_path_that_starts_with_a_child_or_an_imported_module_counts() {
    let files = [
        ("lib.rs", "mod cart; mod limits;"),
        (
            "cart.rs",
            "mod line; use crate::limits; fn f() { line::check(limits::LINES) } pub const MOST: u8 = 3;",
        ),
        ("cart/line.rs", "pub fn check(lines: u8) { super::MOST; }"),
        ("limits.rs", "pub const LINES: u8 = crate::cart::MOST;"),
    ];
    assert_eq!(cycles(&files), ["cart cart::line limits"]);
}

#[test]
fn paths_in_macros_and_attributes_count() {
    let in_macro = [
        ("lib.rs", "mod cart; mod money;"),
        ("cart.rs", r#"use crate::money::Price; fn f() { println!("{}", 1 + crate::money::ZERO) }"#),
        ("money.rs", "pub struct Price; make! { pub const ZERO: u8 = [super::cart::NONE][0]; }"),
    ];
    assert_eq!(cycles(&in_macro), ["cart money"]);
    let in_attribute = [
        ("lib.rs", "mod cart; mod money;"),
        ("cart.rs", "use crate::money::Price;"),
        (
            "money.rs",
            r#"#[derive(Serialize)] pub struct Price { #[serde(with = "crate::cart::text")] value: u8 }"#,
        ),
    ];
    assert_eq!(cycles(&in_attribute), ["cart money"]);
}

#[test]
fn code_for_tests_alone_does_not_count() {
    let files = [
        ("lib.rs", "mod cart; mod money; #[cfg(test)] mod tests;"),
        ("cart.rs", "use crate::money::Price; pub struct Cart; #[cfg(test)] mod tests { use super::*; }"),
        (
            "money.rs",
            "pub struct Price; #[cfg(test)] mod tests { use crate::cart::Cart; } #[cfg(all(test, unix))] use crate::cart;",
        ),
    ];
    assert_eq!(cycles(&files), NONE);
}

#[test]
fn an_inline_module_belongs_to_its_file() {
    let files = [
        ("lib.rs", "mod cart; mod money;"),
        ("cart.rs", "pub mod form { use super::super::money::Price; } pub struct Cart;"),
        ("money.rs", "use crate::cart::form; pub struct Price;"),
    ];
    assert_eq!(cycles(&files), ["cart money"]);
}

#[test]
fn top_level_modules_count_with_all_that_is_in_them() {
    let files = [
        ("shop/src/lib.rs", "mod cart; mod money;"),
        ("shop/src/cart.rs", "mod decide; mod view;"),
        ("shop/src/cart/decide.rs", "use crate::money::Price;"),
        ("shop/src/cart/view.rs", "pub struct View;"),
        ("shop/src/money.rs", "use crate::cart::view::View; pub struct Price;"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), SourceFile::parse(path, text.to_owned())));
    let files = BTreeMap::from(files);
    let graph = ModuleTree::read("shop/src/lib.rs", "small-shop", &files).graph();
    assert!(graph.cycles().is_empty());
    assert_eq!(graph.top_level().cycles()[0].modules, ["cart", "money"]);
}
