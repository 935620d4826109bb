//! An entity comes back into memory: its image, the changes after it, and what the tables have not got yet.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    cart::Cart,
    commit::{Change, Image, Row},
    entity::Entity,
    id::{CartId, Sku},
    idempotency::{KeyRecord, KeyRing},
    inventory::Stock,
    store::{Store, StoreError},
};

/// How a kind of entity is read from the tables.
#[async_trait]
pub trait AtRest: Entity {
    async fn fetch(store: &dyn Store, id: &Self::Id) -> Result<Option<(Image, Vec<Change>)>, StoreError>;
    /// The entity and its keys, when the image is of this kind.
    fn from_image(image: &Image) -> Option<(Self, &[KeyRecord])>;
}

#[async_trait]
impl AtRest for Cart {
    async fn fetch(store: &dyn Store, id: &CartId) -> Result<Option<(Image, Vec<Change>)>, StoreError> {
        Ok(store.load_cart(*id).await?.map(|stored| (Image::Cart(stored.image), stored.tail)))
    }

    fn from_image(image: &Image) -> Option<(Self, &[KeyRecord])> {
        match image {
            Image::Cart(image) => Some((Self::clone(&image.cart), &image.keys)),
            Image::Stock(_) => None,
        }
    }
}

#[async_trait]
impl AtRest for Stock {
    async fn fetch(store: &dyn Store, sku: &Sku) -> Result<Option<(Image, Vec<Change>)>, StoreError> {
        Ok(store.load_stock(sku).await?.map(|stored| (Image::Stock(stored.image), stored.tail)))
    }

    fn from_image(image: &Image) -> Option<(Self, &[KeyRecord])> {
        match image {
            Image::Stock(image) => Some((image.stock.clone(), &image.keys)),
            Image::Cart(_) => None,
        }
    }
}

/// An entity put together again.
#[derive(Debug, Clone)]
pub(crate) struct Assembled<E> {
    pub(crate) entity: E,
    pub(crate) keys: KeyRing,
    /// Changes since the last image.
    pub(crate) since_image: u32,
}

impl<E: AtRest> Assembled<E> {
    pub(crate) fn absent(id: &E::Id) -> Self {
        Self { entity: E::absent(id), keys: KeyRing::default(), since_image: 0 }
    }

    fn replace(&mut self, image: &Image) -> Result<(), StoreError> {
        let (entity, keys) = E::from_image(image).ok_or_else(|| wrong_kind(image))?;
        *self = Self { entity, keys: keys.iter().cloned().collect(), since_image: 0 };
        Ok(())
    }

    /// A row that waits in a long flush may be older than what an urgent one has brought to the tables since.
    fn replace_older(&mut self, image: &Image) -> Result<(), StoreError> {
        let version = self.entity.version();
        let (entity, _) = E::from_image(image).ok_or_else(|| wrong_kind(image))?;
        if entity.version() > version { self.replace(image) } else { Ok(()) }
    }

    /// Goes on by the changes that it has not seen. A gap between them is damage, never skipped.
    pub(crate) fn follow(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            let at = self.entity.version();
            if change.version <= at {
                continue;
            }
            let events = E::events(change).filter(|_| change.version == at + 1);
            let Some(events) = events else {
                let entity = change.entity();
                return Err(StoreError::Corrupt(format!(
                    "{entity} is at version {at} and its next change makes version {}",
                    change.version
                )));
            };
            self.entity.advance(events, change.wall);
            if let Some(key) = &change.key {
                self.keys.remember(key.clone());
            }
            self.since_image += 1;
        }
        Ok(())
    }

    /// The state in the tables, and then that of the rows which wait for them, oldest first. Nothing: it never existed.
    pub(crate) async fn load(
        store: &dyn Store,
        id: &E::Id,
        waiting: &[Arc<Row>],
    ) -> Result<Option<Self>, StoreError> {
        let mut assembled = Self::absent(id);
        if let Some((image, tail)) = E::fetch(store, id).await? {
            assembled.replace(&image)?;
            assembled.follow(&tail)?;
        }
        for row in waiting {
            if let Some(image) = &row.image {
                assembled.replace_older(image)?;
            }
            assembled.follow(&row.tail)?;
        }
        Ok((assembled.entity.version() > 0).then_some(assembled))
    }
}

fn wrong_kind(image: &Image) -> StoreError {
    StoreError::Corrupt(format!("an image of another kind: {image:?}"))
}
