//! How each kind of entity is kept in memory, in the tables and on the way between pods. What it is, its rules say
//! (`smartcart_domain::entity`).

mod cart;
mod stock;

use std::fmt::Debug;

use async_trait::async_trait;
use smartcart_domain::{
    change::{Change, EntityKey, Subject},
    entity::Entity,
    idempotency::{IdempotencyWindow, KeyRecord},
    peer::{Changed, PeerReply, PeerRequest},
    request::{ReadError, Request, RequestError},
    snapshot::Snapshot,
};

use crate::store::{IndexedColumns, Store, StoreError};

/// An entity that is kept: as a view for readers, as a snapshot in the tables.
#[async_trait]
pub trait Resident: Entity {
    /// What readers see; cheap to clone.
    type View: Debug + Clone + Send + Sync + 'static;
    /// What a resident entity keeps beside its view while it has no actor.
    type Rest: Debug + Send + Sync + 'static;

    /// For metrics and logs: `cart`, `stock`.
    const KIND: &'static str;
    /// Why a request is shed when too many wait for one entity of this kind.
    const BUSY: &'static str;

    fn key(id: &Self::Id) -> EntityKey;
    fn subject(id: &Self::Id, events: Vec<Self::Event>) -> Subject;
    /// The events of a change, when it is one of this kind.
    fn events(change: &Change) -> Option<&[Self::Event]>;

    fn view(&self) -> Self::View;
    /// The version that a view shows.
    fn version_of(view: &Self::View) -> u64;
    fn rest(self) -> Self::Rest;
    fn activate(id: &Self::Id, view: &Self::View, rest: Self::Rest) -> Self;

    /// The columns of this version, whose view is given.
    fn indexed_columns(&self, view: &Self::View) -> IndexedColumns;
    fn snapshot(&self, view: &Self::View, keys: &IdempotencyWindow) -> Snapshot;
    /// The entity and its keys, when the snapshot is of this kind.
    fn from_snapshot(snapshot: &Snapshot) -> Option<(Self, &[KeyRecord])>;
    async fn fetch(store: &dyn Store, id: &Self::Id) -> Result<Option<(Snapshot, Vec<Change>)>, StoreError>;

    /// How much a snapshot costs beside the fixed part, in elements: holds, lines.
    fn weight(&self) -> usize;
    /// Bytes that a resident entity takes, about.
    fn footprint(&self) -> usize;

    /// Told of every rejection, for the metrics.
    fn observe_rejection(_: &Self::Rejection) {}
    /// Told now and then what all residents weigh together, for the metrics.
    fn observe_weight(_: usize) {}
}

/// What the owner of an entity answers to a change.
pub type PeerAnswer<E> = Result<Changed<<E as Resident>::View>, RequestError<<E as Entity>::Rejection>>;

/// A kind of entity that pods can ask each other about.
pub trait Routable: Resident {
    fn to_request(id: Self::Id, request: Request<Self>) -> PeerRequest;
    fn to_read(id: Self::Id) -> PeerRequest;
    /// The id and the request, back again.
    fn from_request(request: PeerRequest) -> Option<(Self::Id, Request<Self>)>;
    fn answer(reply: PeerReply) -> Option<PeerAnswer<Self>>;
    fn read(reply: PeerReply) -> Option<Result<Option<Self::View>, ReadError>>;
}
