//! The dirty set beside a plain model: tables that refuse a row with a hole.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use proptest::prelude::*;

use smartcart_domain::{
    cart::Cart,
    entity::Entity as _,
    id::{CartId, OrderId},
    orders::{CheckoutDetails, OrderStatus},
    payment::Authorization,
    snapshot::CartSnapshot,
    time::Timestamp,
};

use super::*;

const CARTS: u128 = 4;

#[derive(Debug, Clone)]
enum Step {
    /// An entry with changes of one lane's carts.
    Take(Lane, Vec<Taken>),
    Begin,
    /// Some more of the flush reaches the tables.
    WriteSlice,
    End,
    BeginUrgent(Vec<u128>),
    WriteUrgent,
    EndUrgent,
}

/// A change of a cart, with its snapshot or without, and perhaps with an order.
#[derive(Debug, Clone, Copy)]
struct Taken {
    cart: u128,
    snapshot: bool,
    order: bool,
}

fn lane_of(cart: u128) -> Lane {
    Lane(u16::from(!cart.is_multiple_of(2)))
}

fn take() -> impl Strategy<Value = Step> {
    let taken = (0..CARTS, any::<bool>(), prop::bool::weighted(0.2))
        .prop_map(|(cart, snapshot, order)| Taken { cart, snapshot, order });
    prop::collection::vec(taken, 1..4).prop_map(|mut taken| {
        let lane = lane_of(taken[0].cart);
        taken.retain(|taken| lane_of(taken.cart) == lane);
        Step::Take(lane, taken)
    })
}

fn step() -> impl Strategy<Value = Step> {
    let cart = 0..CARTS;
    prop_oneof![
        6 => take(),
        2 => Just(Step::Begin),
        4 => Just(Step::WriteSlice),
        2 => Just(Step::End),
        3 => prop::collection::vec(cart, 1..3).prop_map(Step::BeginUrgent),
        3 => Just(Step::WriteUrgent),
        3 => Just(Step::EndUrgent),
    ]
}

/// What the tables have: versions, and orders.
#[derive(Debug, Default)]
struct Tables {
    versions: BTreeMap<EntityKey, u64>,
    orders: HashSet<OrderId>,
}

impl Tables {
    fn version(&self, entity: &EntityKey) -> u64 {
        self.versions.get(entity).copied().unwrap_or_default()
    }

    /// As a store takes a row: over lower versions only, and never over a hole.
    fn write(&mut self, row: &Row) {
        let at = self.version(&row.entity);
        let reached = follow(row, at);
        assert_eq!(reached, row.version, "its changes end where it says");
        self.versions.insert(row.entity.clone(), at.max(reached));
    }
}

/// The version to which a row brings a state at version `at`.
fn follow(row: &Row, at: u64) -> u64 {
    let mut version = match &row.snapshot {
        Some(Snapshot::Cart(snapshot)) => snapshot.cart.version,
        Some(Snapshot::Stock(_)) => unreachable!("there are carts only"),
        None => row.tail.first().map_or(at, |first| first.version - 1),
    };
    assert!(row.snapshot.is_some() || version <= at, "{}: {version} does not follow {at}", row.entity);
    for change in &row.tail {
        assert_eq!(change.version, version + 1, "{}: a hole", row.entity);
        version = change.version;
    }
    version
}

fn cart_at(id: u128, version: u64) -> Arc<Cart> {
    let mut cart = Cart::absent(&CartId(id));
    cart.set_version(version);
    Arc::new(cart)
}

fn order(cart: u128, number: u64) -> Arc<Order> {
    Arc::new(Order {
        id: OrderId(u128::from(number)),
        version: 1,
        status: OrderStatus::Placed,
        cart: CartId(cart),
        user: None,
        currency: "GBP".parse().unwrap(),
        lines: Vec::new(),
        total: 0,
        details: CheckoutDetails::default(),
        payment: Authorization { method: String::new(), reference: String::new() },
        history: Vec::new(),
        placed_at: Timestamp(0),
    })
}

/// The set, what surrounds it, and what must be true of it.
struct World {
    dirty: DirtySet,
    tables: Tables,
    flush: Option<(Flush, usize)>,
    urgent: Option<UrgentFlush>,
    /// What was ever taken.
    versions: BTreeMap<u128, u64>,
    orders: HashSet<OrderId>,
    /// Each lane's entries: in which of them a cart came to which version.
    entries: BTreeMap<Lane, Vec<Vec<(u128, u64)>>>,
    /// Of these, as many have been in no flush that has ended.
    unwritten: u64,
}

impl World {
    fn new() -> Self {
        Self {
            dirty: DirtySet::new(IncarnationId(1), ShopTime(0)),
            tables: Tables::default(),
            flush: None,
            urgent: None,
            versions: BTreeMap::new(),
            orders: HashSet::new(),
            entries: BTreeMap::new(),
            unwritten: 0,
        }
    }

    fn take(&mut self, lane: Lane, taken: &[Taken]) {
        let (changes, rows) = taken.iter().map(|taken| self.change(*taken)).unzip();
        let entries = self.entries.entry(lane).or_default();
        entries.push(taken.iter().map(|taken| (taken.cart, self.versions[&taken.cart])).collect());
        self.unwritten += 1;
        let sequence = entries.len() as u64;
        let entry =
            JournalEntry { incarnation: IncarnationId(1), lane, sequence, shop: ShopTime(0), changes };
        self.dirty.take(entry, rows);
    }

    fn change(&mut self, taken: Taken) -> (Change, (IndexedColumns, Option<Snapshot>)) {
        let Taken { cart, snapshot, order: with_order } = taken;
        let version = self.versions.entry(cart).or_default();
        *version += 1;
        let version = *version;
        let mut events = Vec::new();
        if with_order {
            let order = order(cart, self.orders.len() as u64);
            self.orders.insert(order.id);
            events.push(CartEvent::CheckoutPlaced { order });
        }
        let change = Change {
            subject: Subject::Cart(CartId(cart), events),
            version,
            wall: Timestamp(0),
            shop: ShopTime(0),
            key: None,
        };
        let state = cart_at(cart, version);
        // An entity's first row has a snapshot.
        let snapshot = (snapshot || version == 1)
            .then(|| Snapshot::Cart(CartSnapshot { cart: state.clone(), keys: Vec::new() }));
        (change, (IndexedColumns::Cart(state), snapshot))
    }

    fn write_slice(&mut self) {
        let Some((flush, written)) = &mut self.flush else { return };
        let rows: BTreeMap<_, _> = flush.rows.iter().collect();
        match rows.values().nth(*written) {
            Some(row) => self.tables.write(row),
            None => return,
        }
        *written += 1;
        self.tables.orders.extend(flush.orders.iter().map(|order| order.id));
    }

    fn end(&mut self) {
        let whole = self.flush.as_ref().is_some_and(|(flush, written)| *written == flush.rows.len());
        if let Some((flush, _)) = self.flush.take_if(|_| whole) {
            self.tables.orders.extend(flush.orders.iter().map(|order| order.id));
            self.reached(&flush.watermarks);
            self.unwritten -= flush.entries;
            self.dirty.end(&flush);
        }
    }

    /// The journal may be trimmed to the watermarks: the tables have what is in those entries.
    fn reached(&self, watermarks: &[Watermark]) {
        for Watermark { lane, sequence, .. } in watermarks {
            let entries = self.entries[lane].iter().take(usize::try_from(*sequence).unwrap());
            for (cart, version) in entries.flatten() {
                let there = self.tables.version(&EntityKey::Cart(CartId(*cart)));
                assert!(there >= *version, "cart {cart} is at {there}, and {version} would be trimmed");
            }
        }
    }

    fn write_urgent(&mut self) {
        let Some(urgent) = &self.urgent else { return };
        urgent.batch.rows.iter().for_each(|row| self.tables.write(row));
        self.tables.orders.extend(urgent.batch.orders.iter().map(|order| order.id));
    }

    fn end_urgent(&mut self) {
        let Some(urgent) = &self.urgent else { return };
        let written = urgent.batch.rows.iter().all(|row| self.tables.version(&row.entity) >= row.version)
            && urgent.batch.orders.iter().all(|order| self.tables.orders.contains(&order.id));
        if let Some(urgent) = self.urgent.take_if(|_| written) {
            self.dirty.end_urgent(&urgent);
        }
    }

    fn make(&mut self, step: Step) {
        match step {
            Step::Take(lane, taken) => self.take(lane, &taken),
            Step::Begin => self.flush = Some((self.dirty.begin(), 0)),
            Step::WriteSlice => self.write_slice(),
            Step::End => self.end(),
            Step::BeginUrgent(carts) => {
                let entities = carts.into_iter().map(|cart| EntityKey::Cart(CartId(cart))).collect();
                self.urgent = Some(self.dirty.begin_urgent(&entities));
            }
            Step::WriteUrgent => self.write_urgent(),
            Step::EndUrgent => self.end_urgent(),
        }
        self.check();
    }

    /// Tables and set together have every change and every order, whatever was written and whatever was not; and the set
    /// counts what it has.
    fn check(&self) {
        let DirtySet { gathering, urgent, flushing, flushing_bytes, flushing_orders, .. } = &self.dirty;
        let waiting = [&gathering.orders, &urgent.orders, flushing_orders].into_iter().flatten();
        let mut orders: HashSet<OrderId> = waiting.map(|order| order.id).collect();
        orders.extend(&self.tables.orders);
        assert_eq!(orders, self.orders, "no order is lost");
        for (rows, bytes) in
            [(&gathering.rows, gathering.bytes), (&urgent.rows, urgent.bytes), (&**flushing, *flushing_bytes)]
        {
            assert_eq!(bytes, rows.values().map(|row| row.footprint()).sum::<usize>());
        }
        assert_eq!(self.dirty.entries, self.unwritten);
        for (cart, version) in &self.versions {
            let entity = EntityKey::Cart(CartId(*cart));
            let mut reached = self.tables.version(&entity);
            for row in self.dirty.of(&entity) {
                reached = reached.max(follow(&row, reached));
            }
            assert_eq!(reached, *version, "{entity}");
            if !self.dirty.has(&entity) {
                assert_eq!(self.tables.version(&entity), *version, "{entity} is forgotten too early");
            }
        }
    }

    /// Without failures from now on, everything gets to the tables and nothing stays behind.
    fn finish(mut self) {
        self.make(Step::WriteUrgent);
        self.make(Step::EndUrgent);
        self.make(Step::Begin);
        for _ in 0..CARTS {
            self.make(Step::WriteSlice);
        }
        self.make(Step::End);
        assert!(self.dirty.is_empty());
        assert_eq!((self.dirty.bytes(), self.dirty.len()), (0, 0));
        assert_eq!(self.tables.orders, self.orders);
        for (cart, version) in &self.versions {
            assert_eq!(self.tables.version(&EntityKey::Cart(CartId(*cart))), *version);
        }
    }
}

#[test]
fn what_is_written_out_of_turn_twice_within_one_flush_has_no_hole() {
    let mut world = World::new();
    let urgent = [Step::BeginUrgent(vec![0]), Step::WriteUrgent, Step::EndUrgent];
    let take = Step::Take(Lane(0), vec![Taken { cart: 0, snapshot: false, order: false }]);
    let steps = [take.clone(), Step::Begin, take.clone()]
        .into_iter()
        .chain(urgent.clone())
        .chain([take])
        .chain(urgent);
    steps.for_each(|step| world.make(step));
    world.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_begun_ended_or_fails_no_change_is_lost(steps in prop::collection::vec(step(), 0..60)) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.make(step));
        world.finish();
    }
}
