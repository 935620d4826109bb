use smartcart_domain::catalog::{Catalog, Fault, InvalidProduct, ProductQuery};

use crate::given::{catalog, gbp, sku};

fn query(text: &str, limit: usize) -> ProductQuery {
    ProductQuery { text: Some(text.to_owned()), limit, ..ProductQuery::default() }
}

fn names(catalog: &Catalog, query: &ProductQuery) -> (Vec<String>, bool) {
    let (found, more) = catalog.search(query);
    (found.iter().map(|product| product.id.to_string()).collect(), more)
}

#[test]
fn a_search_wants_every_word_and_pages_in_the_order_of_ids() {
    let shop = catalog(&[("tin", Some(1)), ("mug-red", Some(1)), ("mug-blue", Some(1))]);
    assert_eq!(names(&shop, &query("MUG", 10)), (vec!["mug-blue".into(), "mug-red".into()], false));
    assert_eq!(names(&shop, &query("mug red", 10)), (vec!["mug-red".into()], false));
    assert_eq!(names(&shop, &query("mug", 1)), (vec!["mug-blue".into()], true));
    let rest = ProductQuery { after: Some("mug-blue".parse().unwrap()), ..query("mug", 1) };
    assert_eq!(names(&shop, &rest), (vec!["mug-red".into()], false));
}

#[test]
fn a_change_is_a_new_generation_and_the_old_one_stays_as_it_was() {
    let old = catalog(&[("mug", Some(250))]);
    let mut product = (**old.product(&"mug".parse().unwrap()).unwrap()).clone();
    product.variants[0].prices[0].amount = 300;
    let new = old.with([product], &[]);
    let price = |catalog: &Catalog| catalog.listing(&sku("mug")).unwrap().price_in(gbp());
    assert_eq!((price(&old), price(&new)), (Some(250), Some(300)));
    assert_eq!(new.generation(), old.generation() + 1);
    assert!(new.with([], &["mug".parse().unwrap()]).listing(&sku("mug")).is_none());
}

#[test]
fn a_product_without_a_name_or_with_a_sku_twice_is_refused() {
    let shop = catalog(&[("mug", Some(250))]);
    let product = (**shop.product(&"mug".parse().unwrap()).unwrap()).clone();
    assert_eq!(product.validate(), Ok(()));
    let unnamed = smartcart_domain::catalog::Product { name: " ".into(), ..product.clone() };
    let faults = unnamed.validate().unwrap_err();
    assert!(matches!(faults[..], [Fault { reason: InvalidProduct::Name { .. }, .. }]), "{faults:?}");
    let mut twice = product.clone();
    twice.variants.push(twice.variants[0].clone());
    let repeated =
        Fault { pointer: "/variants/1/sku".to_owned(), reason: InvalidProduct::RepeatedSku(sku("mug")) };
    assert_eq!(twice.validate(), Err(vec![repeated]));
}
