use std::{fmt::Debug, sync::Arc, time::Duration};

use smartcart_domain::{
    catalog::{Catalog, Product, Variant},
    entity::{Context, Decision, Entity},
    id::{ProductId, Sku},
    idempotency::{Caller, Outcome},
    limits::Limits,
    money::{Currency, Money},
    time::{ShopTime, Timestamp},
};

pub(crate) const NOON: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) fn sku(text: &str) -> Sku {
    text.parse().expect("a SKU")
}

pub(crate) fn gbp() -> Currency {
    "GBP".parse().expect("a currency")
}

pub(crate) fn context() -> Context {
    Context {
        caller: Caller::Guest,
        wall: NOON,
        shop: ShopTime(1_000_000),
        passed: ShopTime(1_000_000),
        limits: Limits { cart_lines: 3, line_quantity: 99, ..Limits::default() },
        key: None,
    }
}

/// A catalogue of one product for each SKU and price; a price of nothing leaves the SKU unpriced.
pub(crate) fn catalog(prices: &[(&str, Option<i64>)]) -> Arc<Catalog> {
    let product = |(name, price): &(&str, Option<i64>)| Product {
        id: name.parse::<ProductId>().expect("a product id"),
        version: 1,
        name: format!("The {name}"),
        description: String::new(),
        category: String::new(),
        images: Vec::new(),
        variants: vec![Variant {
            sku: sku(name),
            attributes: std::collections::BTreeMap::new(),
            prices: price.iter().map(|amount| Money::new(*amount, gbp())).collect(),
        }],
        updated_at: NOON,
    };
    Arc::new(Catalog::new(1, prices.iter().map(product)))
}

/// An entity after some events, and what it is asked.
pub(crate) struct Given<E: Entity> {
    entity: E,
    context: Context,
}

pub(crate) fn given<E: Entity>(id: &E::Id, changes: impl IntoIterator<Item = E::Event>) -> Given<E> {
    let mut entity = E::absent(id);
    for event in changes {
        entity.advance(&[event], NOON);
    }
    Given { entity, context: context() }
}

impl<E: Entity> Given<E> {
    pub(crate) fn asked_by(mut self, caller: Caller) -> Self {
        self.context.caller = caller;
        self
    }

    pub(crate) fn after(mut self, time: Duration) -> Self {
        self.context.wall = self.context.wall.plus(time);
        self.context.shop = self.context.shop.plus(time);
        self.context.passed = self.context.shop;
        self
    }

    pub(crate) fn when(self, command: &E::Command) -> Then<E> {
        let verdict = self.entity.decide(command, &self.context);
        Then { entity: self.entity, context: self.context, verdict }
    }
}

pub(crate) struct Then<E: Entity> {
    entity: E,
    context: Context,
    verdict: Result<Decision<E::Event>, E::Rejection>,
}

impl<E: Entity> Then<E>
where
    E::Event: PartialEq + Clone,
    E::Rejection: PartialEq,
{
    /// These events happen.
    #[track_caller]
    pub(crate) fn then(self, events: impl IntoIterator<Item = E::Event>) -> Self {
        let expected: Vec<E::Event> = events.into_iter().collect();
        assert_eq!(self.decision().events, expected);
        self
    }

    #[track_caller]
    pub(crate) fn then_nothing(self) -> Self {
        self.then([])
    }

    #[track_caller]
    pub(crate) fn then_answers(self, outcome: &Outcome) -> Self {
        assert_eq!(self.decision().outcome, *outcome);
        self
    }

    #[track_caller]
    pub(crate) fn then_rejected(self, rejection: &E::Rejection) {
        match &self.verdict {
            Err(said) => assert_eq!(said, rejection),
            Ok(decision) => panic!("accepted: {decision:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn and_then_events(&self) -> Vec<E::Event> {
        self.decision().events.clone()
    }

    /// The entity once the events have been applied.
    #[track_caller]
    pub(crate) fn and_then(mut self) -> E {
        let events = self.decision().events.clone();
        self.entity.advance(&events, self.context.wall);
        self.entity
    }

    #[track_caller]
    fn decision(&self) -> &Decision<E::Event> {
        match &self.verdict {
            Ok(decision) => decision,
            Err(rejection) => panic!("rejected: {rejection:?}"),
        }
    }
}

impl<E: Entity> Debug for Then<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.verdict.fmt(f)
    }
}
