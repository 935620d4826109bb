//! The catalogue: products with variants and prices, and the immutable snapshot that every request reads.

mod product;
mod snapshot;

pub use product::{Fault, InvalidProduct, Product, Variant};
pub use snapshot::{Catalog, Listing, ProductQuery};
