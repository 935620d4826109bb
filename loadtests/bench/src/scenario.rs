//! What is measured, and the requests of it.

use std::{
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use smartcart_testkit::http::{Connection, render};

use crate::{
    load::{Measured, drive},
    requests::{AddItem, ReadCart},
    shop::{HOT_SKU, Shop, prepare_checkouts},
    source::{Prepared, Repeated, Source},
};

/// A hold lasts longer than a slice.
const HOLD_SECONDS: u32 = 5;
const HOLDS_END_WITHIN: Duration = Duration::from_secs(60);

/// What is measured, in the order of a turn: each subject next to the no-op server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    NoopPost,
    AddItem,
    Hold,
    Checkout,
    NoopGet,
    ReadCart,
}

impl Scenario {
    pub const ALL: [Self; 6] =
        [Self::NoopPost, Self::AddItem, Self::Hold, Self::Checkout, Self::NoopGet, Self::ReadCart];

    /// These and what they are compared with, in the order of a turn; all, when none is named.
    pub fn with_noop_server(named: &[Self]) -> Vec<Self> {
        let wanted = |one: &Self| named.iter().any(|named| named == one || named.noop_server() == *one);
        Self::ALL.into_iter().filter(|one| named.is_empty() || wanted(one)).collect()
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::NoopPost => "no-op POST",
            Self::AddItem => "durable add-item",
            Self::Hold => "hold on one SKU",
            Self::Checkout => "three-line checkout",
            Self::NoopGet => "no-op GET",
            Self::ReadCart => "cart read",
        }
    }

    /// What it is compared with.
    pub const fn noop_server(self) -> Self {
        match self {
            Self::NoopPost | Self::AddItem | Self::Hold | Self::Checkout => Self::NoopPost,
            Self::NoopGet | Self::ReadCart => Self::NoopGet,
        }
    }

    pub const fn expected_status(self) -> u16 {
        match self {
            Self::Hold | Self::Checkout => 201,
            Self::NoopPost | Self::AddItem | Self::NoopGet | Self::ReadCart => 200,
        }
    }
}

/// A slice of load on one server.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    pub address: SocketAddr,
    pub shop: &'a Rc<Shop>,
    pub token: &'a str,
    pub connections: usize,
    /// Slices differ in where the draws begin.
    pub turn: usize,
}

impl Load<'_> {
    /// What must be there before the clock runs: for checkouts, so many carts with three lines.
    pub async fn prepare(&self, scenario: Scenario, checkouts: usize) -> anyhow::Result<Vec<Vec<u8>>> {
        match scenario {
            Scenario::Checkout => prepare_checkouts(self.shop, self.address, checkouts).await,
            _ => Ok(Vec::new()),
        }
    }

    pub async fn drive(
        &self,
        scenario: Scenario,
        length: Duration,
        prepared: Vec<Vec<u8>>,
    ) -> anyhow::Result<Measured> {
        let source = self.source(scenario, prepared);
        drive(self.address, self.connections, length, scenario.expected_status(), source).await
    }

    /// Where the scenario's requests come from.
    pub fn source(&self, scenario: Scenario, prepared: Vec<Vec<u8>>) -> Box<dyn Source> {
        match scenario {
            Scenario::NoopPost | Scenario::AddItem => Box::new(AddItem::new(self.shop, self.turn)),
            Scenario::NoopGet | Scenario::ReadCart => Box::new(ReadCart::new(self.shop, self.turn)),
            Scenario::Hold => Box::new(Repeated(self.hold())),
            Scenario::Checkout => Box::new(Prepared::new(prepared)),
        }
    }

    /// Waits until the server has nothing more to do for a slice: holds end by themselves, and would do so in somebody else's.
    pub async fn until_over(&self, scenario: Scenario) -> anyhow::Result<()> {
        if scenario != Scenario::Hold {
            return Ok(());
        }
        let until = Instant::now() + HOLDS_END_WITHIN;
        while self.held().await? > 0 {
            ensure!(Instant::now() < until, "the holds did not end within {HOLDS_END_WITHIN:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    fn hold(&self) -> Vec<u8> {
        let bearer = format!("Bearer {}", self.token);
        let body = format!("{{\"quantity\":1,\"ttl_seconds\":{HOLD_SECONDS}}}");
        let path = format!("/v1/inventory/{HOT_SKU}/holds");
        render("POST", &path, &[("authorization", &bearer)], Some(&body))
    }

    /// Units of the SKU that are put aside.
    async fn held(&self) -> anyhow::Result<u64> {
        let mut connection = Connection::open(self.address).await?;
        let bearer = format!("Bearer {}", self.token);
        let path = format!("/v1/inventory/{HOT_SKU}");
        let response = connection.call(&render("GET", &path, &[("authorization", &bearer)], None)).await?;
        ensure!(response.status == 200, "the SKU was answered {}", response.status);
        let level: serde_json::Value = serde_json::from_slice(&response.body)?;
        level["held"].as_u64().with_context(|| format!("no `held`: {level}"))
    }
}
