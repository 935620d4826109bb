//! The nine months: many shoppers at once, each one's invoices in their order.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use futures_util::{StreamExt, stream};
use indicatif::ProgressBar;
use serde_json::json;
use smartcart_replay::trade::plan::{Add, Cancellation, Cart, Event, Plan, Purchase, Units};
use tokio::sync::oneshot;

use crate::shop::{Checkout, Shop, Shortage, Step, Trouble, unexpected};
use crate::state::{Filled, State};

/// Carts of up to this many lines are filled line by line, larger ones in batches.
const LINE_BY_LINE: usize = 8;
/// Operations of one batch.
const BATCH: usize = 50;
/// Checkouts that a cart may lose to scarce stock before that is called a fault.
const MOST_REDUCTIONS: u32 = 50;

/// The shop at work, seen from its shoppers' side.
pub(crate) struct Trading<'a> {
    pub(crate) shop: &'a Shop<'a>,
    pub(crate) state: &'a State,
    pub(crate) plan: &'a Plan,
    pub(crate) scarce: bool,
}

impl Trading<'_> {
    /// Sends everything that is not done yet. Returns what went other than it should, or why it could not go on.
    pub(crate) async fn run(&self, concurrency: usize, bar: &ProgressBar) -> Result<Vec<String>> {
        bar.set_length(self.plan.events.len() as u64);
        let mut turns: HashMap<u32, oneshot::Receiver<()>> = HashMap::new();
        let events = self.plan.events.iter().map(|event| {
            let (done, next) = oneshot::channel::<()>();
            let before = customer(event).and_then(|customer| turns.insert(customer, next));
            async move {
                if let Some(before) = before {
                    // It ends when the shopper's invoice before this one is done with, well or not.
                    before.await.ok();
                }
                let outcome = self.event(event).await;
                drop(done);
                outcome
            }
        });
        let mut outcomes = stream::iter(events).buffer_unordered(concurrency);
        let mut unexpected = Vec::new();
        while let Some(outcome) = outcomes.next().await {
            match outcome {
                Ok(()) => {}
                Err(Trouble::Unexpected(what)) => unexpected.push(what),
                Err(Trouble::Fatal(error)) => {
                    return Err(error.context("the replay stopped; the same command goes on where it was"));
                }
            }
            bar.inc(1);
        }
        Ok(unexpected)
    }

    async fn event(&self, event: &Event) -> Step<()> {
        match event {
            Event::Purchase(purchase) => self.purchase(purchase).await,
            Event::Cancellation(cancellation) => self.cancellation(cancellation).await,
        }
    }

    async fn purchase(&self, purchase: &Purchase) -> Step<()> {
        for (index, cart) in purchase.carts.iter().enumerate() {
            let name = purchase.cart_name(index);
            if self.state.read(|known| known.closed.contains_key(&name)) {
                continue;
            }
            let filled = match self.state.read(|known| known.filled.get(&name).cloned()) {
                Some(filled) => filled,
                None => self.fill(purchase, index, cart, &name).await?,
            };
            let order = self.check_out(purchase.customer, cart, &name, &filled.id).await?;
            self.state.closed(&name, order)?;
        }
        Ok(())
    }

    /// A new cart with the plan's lines in it.
    async fn fill(&self, purchase: &Purchase, index: usize, cart: &Cart, name: &str) -> Step<Filled> {
        let Purchase { invoice, customer, date, country, .. } = purchase;
        let part = (index + 1).to_string();
        let metadata = json!({ "invoice": invoice, "part": part, "date": date, "country": country });
        let id = self.shop.create_cart(*customer, name, metadata).await?;
        if cart.adds.len() <= LINE_BY_LINE {
            for (step, add) in cart.adds.iter().enumerate() {
                let reply = self.shop.add(*customer, name, &id, add, &format!("add-{step}")).await?;
                if !reply.is_success() {
                    return Err(unexpected(&reply, &format!("{name}: {add:?}")));
                }
            }
        } else {
            for (step, adds) in cart.adds.chunks(BATCH).enumerate() {
                self.shop.batch(*customer, name, &id, ("add", adds), &format!("batch-{step}")).await?;
            }
        }
        let refused = self.send_refused(*customer, cart, name, &id).await?;
        let filled = Filled { id, refused };
        self.state.filled(name, filled.clone())?;
        Ok(filled)
    }

    /// Sends what the shop is to refuse, and counts its words for it.
    async fn send_refused(
        &self,
        customer: Option<u32>,
        cart: &Cart,
        name: &str,
        id: &str,
    ) -> Step<BTreeMap<String, u32>> {
        let mut codes = BTreeMap::new();
        for (step, (add, refusal)) in cart.refused.iter().enumerate() {
            // A code with a blank or a letter too many is a SKU like any other here: the shop must cope.
            let reply = self.shop.add(customer, name, id, add, &format!("refused-{step}")).await?;
            if !matches!(reply.status, 400..500) {
                let Add { sku, quantity } = add;
                let what = format!("{name}: {quantity} of {sku} ought to be refused ({refusal:?})");
                return Err(unexpected(&reply, &what));
            }
            *codes.entry(reply.code()).or_default() += 1;
        }
        Ok(codes)
    }

    /// The order that the cart led to; `None` if there was nothing in it, or nothing left for it.
    async fn check_out(
        &self,
        customer: Option<u32>,
        cart: &Cart,
        name: &str,
        id: &str,
    ) -> Step<Option<String>> {
        let reduced = self.state.read(|known| known.reduced.get(name).cloned());
        let (mut attempt, mut units) = match reduced {
            Some((attempt, units)) => {
                self.set_lines(customer, cart, (name, id), attempt, &units).await?;
                (attempt, units)
            }
            None => (0, cart.units()),
        };
        while units.values().any(|units| *units > 0) {
            match self.shop.check_out(customer, name, id, attempt).await? {
                Checkout::Placed { order } => return Ok(Some(order)),
                Checkout::Short(shortages) if self.scarce && attempt < MOST_REDUCTIONS => {
                    attempt += 1;
                    let left = reduce(&units, &shortages);
                    self.state.reduced(name, attempt, left.clone())?;
                    self.set_lines(customer, cart, (name, id), attempt, &left).await?;
                    units = left;
                }
                Checkout::Short(shortages) => {
                    return Err(Trouble::Unexpected(format!("{name}: too little stock: {shortages:?}")));
                }
            }
        }
        Ok(None)
    }

    /// Sets the lines that are no longer what the plan put into the cart. The same request again for the same attempt.
    async fn set_lines(
        &self,
        customer: Option<u32>,
        cart: &Cart,
        (name, id): (&str, &str),
        attempt: u32,
        left: &Units,
    ) -> Step<()> {
        let planned = cart.units();
        let changed: Vec<Add> = left
            .iter()
            .filter(|(sku, units)| planned.get(*sku) != Some(units))
            .map(|(sku, units)| Add { sku: sku.clone(), quantity: *units })
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        self.shop.batch(customer, name, id, ("set", &changed), &format!("set-{attempt}")).await
    }

    /// Cancels every order that the invoice led to. In a scarce shop that may be none.
    async fn cancellation(&self, cancellation: &Cancellation) -> Step<()> {
        let Cancellation { invoice, customer, cancels } = cancellation;
        if self.state.read(|known| known.cancelled.contains(invoice)) {
            return Ok(());
        }
        let carts = self.plan.purchases().find(|purchase| purchase.invoice == *cancels);
        for index in 0..carts.map_or(0, |purchase| purchase.carts.len()) {
            let name = format!("{cancels}/{}", index + 1);
            match self.state.read(|known| known.closed.get(&name).cloned()) {
                Some(Some(order)) => self.shop.cancel(*customer, invoice, &order).await?,
                Some(None) => {}
                None => return Err(Trouble::Unexpected(format!("{invoice}: {name} was never ordered"))),
            }
        }
        Ok(self.state.cancelled(invoice)?)
    }
}

fn customer(event: &Event) -> Option<u32> {
    match event {
        Event::Purchase(purchase) => purchase.customer,
        Event::Cancellation(cancellation) => Some(cancellation.customer),
    }
}

/// What the shopper makes do with: of every short SKU, what the shop has.
fn reduce(units: &Units, shortages: &[Shortage]) -> Units {
    let mut left = units.clone();
    for Shortage { sku, available } in shortages {
        if let Some(units) = left.get_mut(sku) {
            *units = (*units).min(*available).max(0);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_shortages_then_lines_only_shrink_and_never_below_nothing() {
        let units = Units::from([("A".into(), 5), ("B".into(), 5), ("C".into(), 5)]);
        let short = |sku: &str, available| Shortage { sku: sku.into(), available };
        let left = reduce(&units, &[short("A", 2), short("B", 9), short("C", -1), short("D", 1)]);
        assert_eq!(left, Units::from([("A".into(), 2), ("B".into(), 5), ("C".into(), 0)]));
    }
}
