use async_trait::async_trait;
use metrics::{counter, gauge};
use smartcart_domain::{
    change::{Change, EntityKey, Subject},
    id::Sku,
    idempotency::{IdempotencyWindow, KeyRecord},
    inventory::{Stock, StockEvent, StockLevel, StockRejection},
    peer::{PeerReply, PeerRequest},
    request::{ReadError, Request},
    snapshot::{Snapshot, StockSnapshot},
};

use super::{PeerAnswer, Resident, Routable};
use crate::store::{IndexedColumns, Store, StoreError};

#[async_trait]
impl Resident for Stock {
    type View = StockLevel;
    type Rest = Box<Self>;

    const KIND: &'static str = "stock";
    const BUSY: &'static str = "busy_stock";

    fn key(sku: &Sku) -> EntityKey {
        EntityKey::Stock(sku.clone())
    }

    fn subject(sku: &Sku, events: Vec<StockEvent>) -> Subject {
        Subject::Stock(sku.clone(), events)
    }

    fn events(change: &Change) -> Option<&[StockEvent]> {
        match &change.subject {
            Subject::Stock(_, events) => Some(events),
            Subject::Cart(..) => None,
        }
    }

    fn view(&self) -> StockLevel {
        self.level
    }

    fn version_of(level: &StockLevel) -> u64 {
        level.version
    }

    fn rest(self) -> Box<Self> {
        Box::new(self)
    }

    fn activate(_: &Sku, _: &StockLevel, rest: Box<Self>) -> Self {
        *rest
    }

    fn indexed_columns(&self, level: &StockLevel) -> IndexedColumns {
        IndexedColumns::Stock { level: *level, next_deadline: self.earliest_deadline() }
    }

    fn snapshot(&self, _: &StockLevel, keys: &IdempotencyWindow) -> Snapshot {
        Snapshot::Stock(StockSnapshot { stock: self.clone(), keys: keys.iter().cloned().collect() })
    }

    fn from_snapshot(snapshot: &Snapshot) -> Option<(Self, &[KeyRecord])> {
        match snapshot {
            Snapshot::Stock(snapshot) => Some((snapshot.stock.clone(), &snapshot.keys)),
            Snapshot::Cart(_) => None,
        }
    }

    async fn fetch(store: &dyn Store, sku: &Sku) -> Result<Option<(Snapshot, Vec<Change>)>, StoreError> {
        Ok(store.load_stock(sku).await?.map(|stored| (Snapshot::Stock(stored.snapshot), stored.tail)))
    }

    fn weight(&self) -> usize {
        self.holds().len() + self.restocked().len()
    }

    fn footprint(&self) -> usize {
        Self::footprint(self)
    }

    /// Counts what was asked for and was not there.
    fn observe_rejection(rejection: &StockRejection) {
        if let StockRejection::InsufficientStock { .. } = rejection {
            counter!("smartcart_oversell_refused_total").increment(1);
        }
    }

    /// Every SKU with a hold is resident, so the residents' holds are all there are.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn observe_weight(holds: usize) {
        gauge!("smartcart_holds").set(holds as f64);
    }
}

impl Routable for Stock {
    fn to_request(sku: Sku, request: Request<Self>) -> PeerRequest {
        PeerRequest::Stock(sku, request)
    }

    fn to_read(sku: Sku) -> PeerRequest {
        PeerRequest::ReadStock(sku)
    }

    fn from_request(request: PeerRequest) -> Option<(Sku, Request<Self>)> {
        match request {
            PeerRequest::Stock(sku, request) => Some((sku, request)),
            _ => None,
        }
    }

    fn answer(reply: PeerReply) -> Option<PeerAnswer<Self>> {
        match reply {
            PeerReply::Stock(answer) => Some(answer),
            _ => None,
        }
    }

    fn read(reply: PeerReply) -> Option<Result<Option<StockLevel>, ReadError>> {
        match reply {
            PeerReply::StockRead(read) => Some(read),
            _ => None,
        }
    }
}
