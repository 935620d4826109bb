use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use crate::json;

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListView<T> {
    pub items: Vec<T>,
    /// Ask for the next part with this; null at the end.
    pub next_cursor: Option<String>,
}

/// A page that was read with one item more than asked, which tells whether there is another.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub more: bool,
}

impl<T> Page<T> {
    pub fn of(mut items: Vec<T>, limit: usize) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }

    pub fn encode<'a, V: Serialize>(
        &'a self,
        view: impl Fn(&'a T) -> V,
        cursor: impl Fn(&'a T) -> String,
    ) -> Bytes {
        let next_cursor = self.items.last().filter(|_| self.more).map(cursor);
        json::encode(&ListView { items: self.items.iter().map(view).collect(), next_cursor })
    }
}
