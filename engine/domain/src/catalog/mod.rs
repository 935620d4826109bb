//! The catalogue: products with variants and prices, and the immutable snapshot that every request reads.

mod import;
mod product;
mod snapshot;

pub use import::{Resolution, resolve, slices};
pub use product::{Fault, InvalidProduct, Product, Variant};
pub use snapshot::{Catalog, Listing, ProductQuery};
