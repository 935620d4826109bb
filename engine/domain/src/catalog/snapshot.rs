use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::product::Product;
use crate::{
    id::{ProductId, Sku},
    money::Currency,
};

/// The whole catalogue at one moment. Immutable: a change makes another one, with the next generation.
#[derive(Debug, Default, Clone)]
pub struct Catalog {
    generation: u64,
    products: BTreeMap<ProductId, Arc<Product>>,
    listings: HashMap<Sku, Listing, RandomState>,
}

/// What is sold under a SKU.
#[derive(Debug, Clone)]
pub struct Listing {
    pub product: Arc<Product>,
    variant: usize,
    /// The product's name and the variant's attributes, as a cart's line shows it.
    pub name: Arc<str>,
}

impl Listing {
    pub fn price_in(&self, currency: Currency) -> Option<i64> {
        self.product.variants[self.variant].price_in(currency)
    }

    pub fn sku(&self) -> &Sku {
        &self.product.variants[self.variant].sku
    }
}

/// A page of products, in the order of their ids.
#[derive(Debug, Clone, Default)]
pub struct ProductQuery {
    /// Words that must all stand in the name, the description or a SKU; case does not matter.
    pub text: Option<String>,
    pub category: Option<String>,
    pub after: Option<ProductId>,
    pub limit: usize,
}

impl Catalog {
    pub fn new(generation: u64, products: impl IntoIterator<Item = Product>) -> Self {
        let mut catalog = Self { generation, ..Self::default() };
        for product in products {
            catalog.insert(Arc::new(product));
        }
        catalog
    }

    /// This generation, with these products put in and those taken out: all that has changed since the one before.
    #[must_use]
    pub fn with(&self, generation: u64, put: Vec<Product>, removed: &[ProductId]) -> Self {
        let mut next = self.clone();
        next.generation = generation;
        // First of all, so that a SKU which moves from one product to another is not lost with the former.
        for id in put.iter().map(|product| &product.id).chain(removed) {
            next.remove(id);
        }
        for product in put {
            next.insert(Arc::new(product));
        }
        next
    }

    fn remove(&mut self, id: &ProductId) {
        if let Some(old) = self.products.remove(id) {
            for variant in &old.variants {
                self.listings.remove(&variant.sku);
            }
        }
    }

    fn insert(&mut self, product: Arc<Product>) {
        for (variant, listed) in product.variants.iter().enumerate() {
            let mut name = product.name.clone();
            for value in listed.attributes.values() {
                name.push_str(", ");
                name.push_str(value);
            }
            let listing = Listing { product: product.clone(), variant, name: name.into() };
            self.listings.insert(listed.sku.clone(), listing);
        }
        self.products.insert(product.id.clone(), product);
    }

    /// Raised at each change; an encoded view of an older generation is encoded again.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    pub fn len(&self) -> usize {
        self.products.len()
    }

    pub fn is_empty(&self) -> bool {
        self.products.is_empty()
    }

    pub fn product(&self, id: &ProductId) -> Option<&Arc<Product>> {
        self.products.get(id)
    }

    pub fn listing(&self, sku: &Sku) -> Option<&Listing> {
        self.listings.get(sku)
    }

    /// The listing under a SKU's text, and so the shared SKU itself.
    pub fn find(&self, sku: &str) -> Option<&Listing> {
        self.listings.get(sku)
    }

    /// The products that answer a query, and whether there are more.
    pub fn search(&self, query: &ProductQuery) -> (Vec<Arc<Product>>, bool) {
        let words: Vec<String> =
            query.text.iter().flat_map(|text| text.split_whitespace()).map(str::to_lowercase).collect();
        let start = query.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = Vec::new();
        for product in
            self.products.range::<ProductId, _>((start, Bound::Unbounded)).map(|(_, product)| product)
        {
            if query.category.as_ref().is_some_and(|category| *category != product.category) {
                continue;
            }
            if !product.mentions(&words) {
                continue;
            }
            if found.len() == query.limit {
                return (found, true);
            }
            found.push(product.clone());
        }
        (found, false)
    }
}

impl Product {
    fn mentions(&self, words: &[String]) -> bool {
        if words.is_empty() {
            return true;
        }
        let mut text = format!("{}\n{}", self.name, self.description);
        for variant in &self.variants {
            text.push('\n');
            text.push_str(variant.sku.as_str());
        }
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word.as_str()))
    }
}
