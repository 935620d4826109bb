use smartcart_domain::catalog::{Catalog, Fault, InvalidProduct, Product, ProductQuery, Variant, slices};

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
    let new = old.with(old.generation() + 1, vec![product], &[]);
    let price = |catalog: &Catalog| catalog.listing(&sku("mug")).unwrap().price_in(gbp());
    assert_eq!((price(&old), price(&new)), (Some(250), Some(300)));
    assert_eq!(new.generation(), old.generation() + 1);
    let without = new.with(new.generation() + 1, Vec::new(), &["mug".parse().unwrap()]);
    assert!(without.listing(&sku("mug")).is_none());
}

#[test]
fn a_product_without_a_name_or_with_a_sku_twice_is_refused() {
    let shop = catalog(&[("mug", Some(250))]);
    let product = (**shop.product(&"mug".parse().unwrap()).unwrap()).clone();
    assert_eq!(product.validate(), Ok(()));
    let unnamed = Product { name: " ".into(), ..product.clone() };
    let faults = unnamed.validate().unwrap_err();
    assert!(matches!(faults[..], [Fault { reason: InvalidProduct::Name { .. }, .. }]), "{faults:?}");
    let mut twice = product.clone();
    twice.variants.push(twice.variants[0].clone());
    let repeated =
        Fault { pointer: "/variants/1/sku".to_owned(), reason: InvalidProduct::RepeatedSku(sku("mug")) };
    assert_eq!(twice.validate(), Err(vec![repeated]));
}

/// A product with these SKUs.
fn product(id: &str, skus: &[&str]) -> Product {
    let shop = catalog(&[(id, None)]);
    let known = &**shop.listing(&sku(id)).map(|listing| &listing.product).expect("the product");
    let variant = |name: &&str| Variant { sku: sku(name), ..known.variants[0].clone() };
    Product { variants: skus.iter().map(variant).collect(), ..known.clone() }
}

#[test]
fn a_sku_that_moves_is_not_lost_with_the_product_that_had_it() {
    let shop = catalog(&[("mug", None), ("tin", None)]);
    let moved = vec![product("tin", &["mug"]), product("mug", &["tin"])];
    let next = shop.with(7, moved, &[]);
    let owner = |name: &str| next.listing(&sku(name)).unwrap().product.id.to_string();
    assert_eq!((owner("mug"), owner("tin"), next.generation()), ("tin".into(), "mug".into(), 7));
    let gone = next.with(8, vec![product("pot", &["mug"])], &["tin".parse().unwrap()]);
    assert_eq!(gone.listing(&sku("mug")).unwrap().product.id.to_string(), "pot");
}

#[test]
fn rows_between_which_a_sku_may_move_stay_in_one_slice() {
    let shop = catalog(&[("mug", None), ("tin", None), ("pot", None)]);
    // The last takes the first one's SKU; the second and the fourth want the same new one.
    let rows = [
        product("mug", &["cup"]),
        product("a", &["new"]),
        product("pot", &["pot"]),
        product("b", &["new"]),
        product("tin", &["mug"]),
    ];
    assert_eq!(slices(&rows, &shop, 2), [vec![0, 4], vec![1, 3], vec![2]]);
    assert_eq!(slices(&rows, &shop, 3), [vec![0, 4], vec![1, 3, 2]]);
    assert_eq!(slices(&rows, &shop, 1), [vec![0, 4], vec![1, 3], vec![2]]);
    assert_eq!(slices(&[], &shop, 1), [[0; 0]; 0]);
}
