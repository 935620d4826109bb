//! What tests of pods in memory begin with.
#![expect(clippy::unwrap_used, reason = "a fixture that is not there fails the test")]

use std::sync::Arc;

use smartcart_domain::{
    catalog::{Product, Variant},
    id::IncarnationId,
    money::Money,
    time::Timestamp,
};
use smartcart_engine::{
    Config, Engine,
    clock::SystemClock,
    engine::Fleet,
    membership::FleetConfig,
    payment::InvoiceGateway,
    peers::Peers,
    registry::{Member, MemberState},
};

use super::{Database, MemoryJournal, MemoryRegistry, MemoryStore};

/// A pod that owns shards, at an address that no other has.
pub fn live_member(name: &str, incarnation: IncarnationId) -> Member {
    Member {
        incarnation,
        pod: name.to_owned(),
        address: format!("{name}-{incarnation}"),
        owns_shards: true,
        heartbeat: 0,
        state: MemberState::Live,
        protocol: 1,
    }
}

/// A product of one SKU; both have this name.
pub fn single_variant_product(name: &str, price: Money) -> Product {
    Product {
        id: name.parse().unwrap(),
        version: 0,
        name: format!("The {name}"),
        description: String::new(),
        category: String::new(),
        images: Vec::new(),
        variants: vec![Variant {
            sku: name.parse().unwrap(),
            attributes: std::collections::BTreeMap::new(),
            prices: vec![price],
        }],
        updated_at: Timestamp(0),
    }
}

/// A pod with the default settings that has joined, and not opened.
pub async fn joined_engine(database: &Database, me: &Member, peers: Arc<dyn Peers>) -> Arc<Engine> {
    let fleet = Fleet {
        member: me.clone(),
        registry: Arc::new(MemoryRegistry::new(database)),
        peers,
        placement: None,
        config: FleetConfig::default(),
    };
    Engine::join(
        Config::default(),
        fleet,
        Arc::new(MemoryJournal::new(database)),
        Arc::new(MemoryStore::new(database, Some(me.incarnation))),
        Arc::new(SystemClock::default()),
        Arc::new(InvoiceGateway),
    )
    .await
    .unwrap()
}
