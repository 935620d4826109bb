//! Many products written at once. A SKU belongs to one product, and may move from one to another of the same import, whatever
//! the order of its rows.

use std::collections::{BTreeMap, HashMap};

use super::{product::Product, snapshot::Catalog};
use crate::id::{ProductId, Sku};

/// What becomes of an import's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    Write,
    /// The tables say the same already.
    Unchanged,
    /// This product has the SKU, or gets it.
    SkuTaken {
        sku: Sku,
        product: ProductId,
    },
}

/// What becomes of each row. Rows are of different products. `stored` has what the tables have of these products, and `owners`
/// to which product each of the rows' SKUs belongs there.
pub fn resolve(
    rows: &[Product],
    stored: &HashMap<ProductId, Product>,
    owners: &HashMap<Sku, ProductId>,
) -> Vec<Resolution> {
    let mut claims = Claims::new(rows, owners);
    // A refused row's product keeps its SKUs: whoever claims one of them is refused as well.
    let mut refused = claims.first_refusals(owners);
    while let Some(index) = refused.pop() {
        let keeper = &rows[index].id;
        for variant in stored.get(keeper).into_iter().flat_map(|product| &product.variants) {
            if let Some(claimant) = claims.claimant(&variant.sku).filter(|claimant| *claimant != index)
                && claims.refuse(claimant, &variant.sku, keeper)
            {
                refused.push(claimant);
            }
        }
    }
    let outcome = |(row, refusal): (&Product, Option<Resolution>)| {
        let same = || stored.get(&row.id).is_some_and(|stored| stored.says_the_same(row));
        refusal.unwrap_or_else(|| if same() { Resolution::Unchanged } else { Resolution::Write })
    };
    rows.iter().zip(claims.refusals).map(outcome).collect()
}

/// Which row gets each SKU, and which rows get none.
struct Claims<'a> {
    rows: &'a [Product],
    of: HashMap<&'a Sku, usize>,
    refusals: Vec<Option<Resolution>>,
}

impl<'a> Claims<'a> {
    /// Whoever has a SKU and keeps it comes first.
    fn new(rows: &'a [Product], owners: &HashMap<Sku, ProductId>) -> Self {
        let keeps = |row: &Product, sku: &Sku| owners.get(sku) == Some(&row.id);
        let of = rows.iter().enumerate().flat_map(|(index, row)| {
            let skus = row.variants.iter().map(|variant| &variant.sku);
            skus.filter(move |sku| keeps(row, sku)).map(move |sku| (sku, index))
        });
        Self { rows, of: of.collect(), refusals: vec![None; rows.len()] }
    }

    /// Lets each row claim what it wants, in order. Those that want what another product keeps, or another row has claimed.
    fn first_refusals(&mut self, owners: &HashMap<Sku, ProductId>) -> Vec<usize> {
        let rows: HashMap<&ProductId, usize> =
            self.rows.iter().enumerate().map(|(index, row)| (&row.id, index)).collect();
        let mut refused = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            let taken = row.variants.iter().find_map(|variant| {
                let claimant = self.claimant(&variant.sku).map(|claimant| &self.rows[claimant].id);
                let outsider = owners.get(&variant.sku).filter(|owner| !rows.contains_key(owner));
                let other = claimant.or(outsider).filter(|product| **product != row.id)?;
                Some((&variant.sku, other.clone()))
            });
            match taken {
                Some((sku, product)) => {
                    self.refuse(index, sku, &product);
                    refused.push(index);
                }
                None => self.of.extend(row.variants.iter().map(|variant| (&variant.sku, index))),
            }
        }
        refused
    }

    fn claimant(&self, sku: &Sku) -> Option<usize> {
        self.of.get(sku).copied()
    }

    /// Whether it was not refused before.
    fn refuse(&mut self, index: usize, sku: &Sku, product: &ProductId) -> bool {
        let refusal = &mut self.refusals[index];
        let new = refusal.is_none();
        refusal.get_or_insert_with(|| Resolution::SkuTaken { sku: sku.clone(), product: product.clone() });
        new
    }
}

/// Divides an import into slices of `size` rows, by their indices. Rows between which a SKU may move stay together, however many
/// they are.
pub fn slices(rows: &[Product], catalog: &Catalog, size: usize) -> Vec<Vec<usize>> {
    let mut groups = Groups((0..rows.len()).collect());
    let mut first_with: HashMap<&Sku, usize> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        let known = catalog.product(&row.id).into_iter().flat_map(|known| &known.variants);
        for variant in row.variants.iter().chain(known) {
            let other = *first_with.entry(&variant.sku).or_insert(index);
            groups.join(index, other);
        }
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for index in 0..rows.len() {
        members.entry(groups.root(index)).or_default().push(index);
    }
    let mut slices: Vec<Vec<usize>> = Vec::new();
    for group in members.into_values() {
        match slices.last_mut().filter(|last| last.len() + group.len() <= size) {
            Some(last) => last.extend(group),
            None => slices.push(group),
        }
    }
    slices
}

/// Disjoint sets of rows: each points to an earlier one of its set, the first to itself.
struct Groups(Vec<usize>);

impl Groups {
    fn root(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other)] = one.min(other);
    }
}
