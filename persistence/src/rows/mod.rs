//! Rows as every database keeps them, apart from how they are read and written.

mod account;
pub(crate) mod audit;
mod catalog;
mod flushed;
pub(crate) mod json;
mod order;
mod part;

pub(crate) use account::{SessionColumns, UserColumns, address_replayed, address_subject, email_key};
pub(crate) use catalog::{
    ProductColumns, VariantColumns, imported_rows, product_id, product_replayed, product_subject, products,
};
pub(crate) use flushed::{CartRow, RowsByKind, StockRow};
pub(crate) use order::{OrderColumns, OrderRow, RestockColumns, order_rows};
pub(crate) use part::{Part, assemble};
