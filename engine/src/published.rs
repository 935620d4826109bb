//! What readers see of an entity: its last durable state.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use smartcart_domain::{idempotency::Outcome, peer::Changed};

use crate::entity::Resident;

/// An entity's last durable state, as readers see it, with its encoding once somebody has asked for it.
#[derive(Debug)]
pub struct Published<E: Resident> {
    view: E::View,
    /// Held only to look or to put; one pointer while there is none.
    encoded: Mutex<Option<Box<Encoded>>>,
}

#[derive(Debug)]
struct Encoded {
    /// Of the catalogue whose names and prices are in it.
    generation: u64,
    encoding: Encoding,
}

/// An entity as a client reads it.
#[derive(Debug, Clone)]
pub struct Encoding {
    pub body: Bytes,
    /// Tells encodings of one version apart, which show other prices.
    pub rendition: u64,
}

impl<E: Resident> Published<E> {
    pub fn new(view: E::View) -> Self {
        Self { view, encoded: Mutex::new(None) }
    }

    pub const fn view(&self) -> &E::View {
        &self.view
    }

    pub fn version(&self) -> u64 {
        E::version_of(&self.view)
    }

    /// The encoding, made at the first call and again when the catalogue's generation has moved.
    pub fn encoded(&self, generation: u64, encode: impl FnOnce(&E::View) -> Encoding) -> Encoding {
        if let Some(encoded) = self.encoded.lock().as_deref().filter(|kept| kept.generation == generation) {
            return encoded.encoding.clone();
        }
        let encoding = encode(&self.view);
        *self.encoded.lock() = Some(Box::new(Encoded { generation, encoding: encoding.clone() }));
        encoding
    }

    pub(crate) fn forget_encoding(&self) {
        *self.encoded.lock() = None;
    }
}

/// A durable answer.
#[derive(Debug)]
pub struct Answer<E: Resident> {
    /// The entity after the change (of a replay: as it is now).
    pub published: Arc<Published<E>>,
    pub outcome: Outcome,
    /// The key had made this change before.
    pub replayed: bool,
}

impl<E: Resident> Answer<E> {
    /// As it travels to another pod.
    pub(crate) fn into_changed(self) -> Changed<E::View> {
        let Self { published, outcome, replayed } = self;
        Changed { view: published.view().clone(), outcome, replayed }
    }
}

impl<E: Resident> From<Changed<E::View>> for Answer<E> {
    fn from(changed: Changed<E::View>) -> Self {
        let Changed { view, outcome, replayed } = changed;
        Self { published: Arc::new(Published::new(view)), outcome, replayed }
    }
}
