//! What durability costs on this disk: appends to the journal by batch size, flushes and loads of the tables.
//!
//! `cargo run --release -p smartcart-persistence --example append_cost [directory]`

use std::{
    error::Error,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use smartcart_domain::{
    cart::{Cart, Line},
    change::{Change, EntityKey, Subject},
    entry::{Entry, Lane},
    id::{CartId, IncarnationId, Sku, UserId},
    idempotency::{KeyRecord, Outcome},
    inventory::{Stock, StockEvent, StockLevel},
    snapshot::{CartSnapshot, Snapshot},
    time::{Seconds, ShopTime, Timestamp},
};
use smartcart_engine::{
    journal::Journal,
    store::{EntityStore, IndexedColumns, Row, TableBatch},
};
use smartcart_persistence::sqlite::{MissingChanges, SqliteJournal, SqliteStore, open};
use smartcart_wire::encode_entry;

const BATCHES: [u64; 4] = [1, 16, 64, 256];
const CARTS: u128 = 100_000;
const SLICES: [usize; 3] = [64, 512, 2048];

/// Wall time of a run now and then is somebody else's; medians and tails say more than means.
struct Times(Vec<Duration>);

impl Times {
    fn at(&mut self, per_mille: usize) -> Duration {
        self.0.sort_unstable();
        self.0[(self.0.len() * per_mille / 1000).min(self.0.len() - 1)]
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let given = std::env::args().nth(1).map(PathBuf::from);
    let temporary = tempfile::tempdir()?;
    let directory = given.unwrap_or_else(|| temporary.path().to_owned());
    let shop = open(&format!("sqlite:{}/cost.db", directory.display()), MissingChanges::Refuse).await?;
    println!("in {}", directory.display());
    let sku: Sku = "85123A".parse()?;
    encoding(&sku);
    appending(&shop.journal, &sku).await?;
    flushing(&shop.store, &sku).await?;
    one_hot_stock(&shop.store, &sku).await?;
    loading(&shop.store).await?;
    shop.store.close().await;
    shop.journal.close().await;
    Ok(())
}

/// An item is added to a cart, under an idempotency key.
fn change(sku: &Sku, version: u64) -> Change {
    let (wall, shop) = (Timestamp(1_790_000_000_000), ShopTime(3_600_000));
    let added =
        smartcart_domain::cart::CartEvent::ItemAdded { sku: sku.clone(), quantity: 2, unit_price: 295 };
    let key = KeyRecord { key: u128::MAX / 3, request: u64::MAX / 5, at: shop, outcome: Outcome::Applied };
    Change { subject: Subject::Cart(CartId(u128::MAX / 7), vec![added]), version, wall, shop, key: Some(key) }
}

fn entry(sku: &Sku, lane: u16, sequence: u64, changes: u64) -> Entry {
    Entry {
        incarnation: IncarnationId(1),
        lane: Lane(lane),
        sequence,
        shop: ShopTime(3_600_000),
        changes: (0..changes).map(|version| change(sku, version + 1)).collect(),
    }
}

fn encoding(sku: &Sku) {
    const ROUNDS: u32 = 2_000;
    let entry = entry(sku, 0, 1, 256);
    let began = Instant::now();
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        bytes = std::hint::black_box(encode_entry(std::hint::black_box(&entry))).len();
    }
    let each = began.elapsed().as_nanos() / u128::from(ROUNDS) / 256;
    println!("\nencode    {each} ns and {} bytes a change", bytes / 256);
}

async fn appending(journal: &SqliteJournal, sku: &Sku) -> Result<(), Box<dyn Error>> {
    println!("\nappend    changes  append p50      p99    p99.9   ns/change  CPU ns/change  changes/s");
    for (lane, batch) in (0..).zip(BATCHES) {
        const APPENDS: u64 = 1_500;
        let entries: Vec<_> = (1..=APPENDS).map(|sequence| entry(sku, lane, sequence, batch)).collect();
        let mut times = Times(Vec::new());
        let (began, cpu) = (Instant::now(), cpu_time()?);
        for entry in &entries {
            let append = Instant::now();
            journal.append(entry).await?;
            times.0.push(append.elapsed());
            // As the write-behind does, so that the file's pages are used again.
            if entry.sequence % 500 == 0 {
                journal.trim(entry.incarnation, entry.lane, entry.sequence).await?;
            }
        }
        let (took, cpu) = (began.elapsed(), cpu_time()?.saturating_sub(cpu));
        let changes = u128::from(APPENDS * batch);
        println!(
            "          {batch:>7}  {:>10.1?} {:>8.1?} {:>8.1?}  {:>10}  {:>13}  {:>9}",
            times.at(500),
            times.at(990),
            times.at(999),
            took.as_nanos() / changes,
            cpu.as_nanos() / changes,
            changes * 1_000_000_000 / took.as_nanos(),
        );
    }
    Ok(())
}

fn cart_row(sku: &Sku, id: u128, version: u64) -> Arc<Row> {
    let line = |quantity| Line { sku: sku.clone(), quantity, unit_price: 295 };
    let at = Timestamp(1_790_000_000_000);
    let cart = Arc::new(Cart {
        id: CartId(id),
        version,
        owner: Some(UserId(id)),
        currency: "GBP".parse().unwrap_or_else(|_| unreachable!("a known currency")),
        lines: [line(1), line(2), line(3)].into(),
        metadata: None,
        created_at: at,
        updated_at: at,
        expires_at: at.plus(Duration::from_secs(2_592_000)),
        lifetime: Seconds(2_592_000),
        checkout: None,
        last_order: None,
    });
    let keys = change(sku, version).key.into_iter().collect();
    Arc::new(Row {
        entity: EntityKey::Cart(cart.id),
        version,
        columns: IndexedColumns::Cart(cart.clone()),
        snapshot: Some(Snapshot::Cart(CartSnapshot { cart, keys })),
        tail: Vec::new(),
    })
}

/// Random, and the same each time.
const fn cart_id(number: u128) -> u128 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
}

async fn flushing(store: &SqliteStore, sku: &Sku) -> Result<(), Box<dyn Error>> {
    println!(
        "\nflush of carts (3 lines, 1 key)   rows/flush  flush p50      p99   ns/row  CPU ns/row   rows/s"
    );
    let new: Vec<_> = (1..=CARTS).map(|number| cart_row(sku, cart_id(number), 1)).collect();
    measured_flushes(store, "new", 512, &new).await?;
    for (version, slice) in (2..).zip(SLICES) {
        // A tenth of them, all over the table.
        let changed: Vec<_> =
            (1..=CARTS).step_by(10).map(|number| cart_row(sku, cart_id(number), version)).collect();
        measured_flushes(store, "changed", slice, &changed).await?;
    }
    let newest = (CARTS - CARTS / 10..=CARTS).map(|number| cart_row(sku, cart_id(number), 9));
    measured_flushes(store, "changed, the newest", 512, &newest.collect::<Vec<_>>()).await?;
    Ok(())
}

async fn measured_flushes(
    store: &SqliteStore,
    what: &str,
    slice: usize,
    rows: &[Arc<Row>],
) -> Result<(), Box<dyn Error>> {
    let mut times = Times(Vec::new());
    let (began, cpu) = (Instant::now(), cpu_time()?);
    for rows in rows.chunks(slice) {
        let flush = Instant::now();
        store.flush(&TableBatch { rows: rows.to_vec(), ..TableBatch::default() }).await?;
        times.0.push(flush.elapsed());
    }
    let (took, cpu) = (began.elapsed(), cpu_time()?.saturating_sub(cpu));
    let count = rows.len() as u128;
    println!(
        "          {what:<24}{slice:>10} {:>10.1?} {:>8.1?} {:>8} {:>11} {:>8}",
        times.at(500),
        times.at(990),
        took.as_nanos() / count,
        cpu.as_nanos() / count,
        count * 1_000_000_000 / took.as_nanos(),
    );
    Ok(())
}

/// A flash sale: one SKU whose changes are kept behind its image.
async fn one_hot_stock(store: &SqliteStore, sku: &Sku) -> Result<(), Box<dyn Error>> {
    let level = |version| StockLevel { version, on_hand: 1_000_000, held: 0, sold: 0, stocked: 1_000_000 };
    let entity = EntityKey::Stock(sku.clone());
    let columns = |version| IndexedColumns::Stock { level: level(version), next_deadline: None };
    let stock = Stock::restore(sku.clone(), level(1), []);
    let snapshot =
        Some(Snapshot::Stock(smartcart_domain::snapshot::StockSnapshot { stock, keys: Vec::new() }));
    let first = Row { entity: entity.clone(), version: 1, columns: columns(1), snapshot, tail: Vec::new() };
    store.flush(&TableBatch { rows: vec![Arc::new(first)], ..TableBatch::default() }).await?;
    let mut times = Times(Vec::new());
    for round in 0..20_u64 {
        let after = 1 + round * 5_000;
        let tail: Vec<_> = (after + 1..=after + 5_000).map(|version| hold(sku, version)).collect();
        let version = after + 5_000;
        let row = Row { entity: entity.clone(), version, columns: columns(version), snapshot: None, tail };
        let flush = Instant::now();
        store.flush(&TableBatch { rows: vec![Arc::new(row)], ..TableBatch::default() }).await?;
        times.0.push(flush.elapsed());
    }
    println!("\nflush of 5,000 holds of one SKU   p50 {:.1?}", times.at(500));
    let load = Instant::now();
    let tail = store.load_stock(sku).await?.map_or(0, |stored| stored.tail.len());
    println!("load of its {tail} changes           {:.1?}", load.elapsed());
    Ok(())
}

fn hold(sku: &Sku, version: u64) -> Change {
    let id = smartcart_domain::id::HoldId(cart_id(version.into()));
    let placed = StockEvent::HoldPlaced { id, quantity: 1, deadline: ShopTime(4_500_000), checkout: None };
    Change { subject: Subject::Stock(sku.clone(), vec![placed]), ..change(sku, version) }
}

async fn loading(store: &SqliteStore) -> Result<(), Box<dyn Error>> {
    let mut times = Times(Vec::new());
    for number in (1..=CARTS).step_by(20) {
        let load = Instant::now();
        let stored = store.load_cart(CartId(cart_id(number))).await?;
        assert!(stored.is_some(), "cart {number} is there");
        times.0.push(load.elapsed());
    }
    println!("load of a cart                    p50 {:.1?}, p99 {:.1?}", times.at(500), times.at(990));
    Ok(())
}

/// User and system time of this process, in the kernel's ticks of 10 ms.
fn cpu_time() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}
