use std::sync::Arc;

use async_trait::async_trait;
use smartcart_domain::{
    cart::{Cart, CartEvent},
    change::{Change, EntityKey, Subject},
    id::CartId,
    idempotency::{IdempotencyWindow, KeyRecord},
    peer::{PeerReply, PeerRequest},
    request::{ReadError, Request},
    snapshot::{CartSnapshot, Snapshot},
};

use super::{PeerAnswer, Resident, Routable};
use crate::store::{IndexedColumns, Store, StoreError};

#[async_trait]
impl Resident for Cart {
    type View = Arc<Self>;
    type Rest = ();

    const KIND: &'static str = "cart";
    const BUSY: &'static str = "busy_cart";

    fn key(id: &CartId) -> EntityKey {
        EntityKey::Cart(*id)
    }

    fn subject(id: &CartId, events: Vec<CartEvent>) -> Subject {
        Subject::Cart(*id, events)
    }

    fn events(change: &Change) -> Option<&[CartEvent]> {
        match &change.subject {
            Subject::Cart(_, events) => Some(events),
            Subject::Stock(..) => None,
        }
    }

    fn view(&self) -> Arc<Self> {
        Arc::new(self.clone())
    }

    fn version_of(view: &Arc<Self>) -> u64 {
        view.version
    }

    fn rest(self) {}

    fn activate(_: &CartId, view: &Arc<Self>, (): ()) -> Self {
        Self::clone(view)
    }

    fn indexed_columns(&self, view: &Arc<Self>) -> IndexedColumns {
        IndexedColumns::Cart(view.clone())
    }

    fn snapshot(&self, view: &Arc<Self>, keys: &IdempotencyWindow) -> Snapshot {
        Snapshot::Cart(CartSnapshot { cart: view.clone(), keys: keys.iter().cloned().collect() })
    }

    fn from_snapshot(snapshot: &Snapshot) -> Option<(Self, &[KeyRecord])> {
        match snapshot {
            Snapshot::Cart(snapshot) => Some((Self::clone(&snapshot.cart), &snapshot.keys)),
            Snapshot::Stock(_) => None,
        }
    }

    async fn fetch(store: &dyn Store, id: &CartId) -> Result<Option<(Snapshot, Vec<Change>)>, StoreError> {
        Ok(store.load_cart(*id).await?.map(|stored| (Snapshot::Cart(stored.snapshot), stored.tail)))
    }

    fn weight(&self) -> usize {
        self.lines.len()
    }

    fn footprint(&self) -> usize {
        Self::footprint(self)
    }
}

impl Routable for Cart {
    fn to_request(id: CartId, request: Request<Self>) -> PeerRequest {
        PeerRequest::Cart(id, request)
    }

    fn to_read(id: CartId) -> PeerRequest {
        PeerRequest::ReadCart(id)
    }

    fn from_request(request: PeerRequest) -> Option<(CartId, Request<Self>)> {
        match request {
            PeerRequest::Cart(id, request) => Some((id, request)),
            _ => None,
        }
    }

    fn answer(reply: PeerReply) -> Option<PeerAnswer<Self>> {
        match reply {
            PeerReply::Cart(answer) => Some(answer),
            _ => None,
        }
    }

    fn read(reply: PeerReply) -> Option<Result<Option<Arc<Self>>, ReadError>> {
        match reply {
            PeerReply::CartRead(read) => Some(read),
            _ => None,
        }
    }
}
