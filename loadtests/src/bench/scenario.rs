//! What is measured, and the requests of it.

use std::{
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use super::{
    load::{Measured, drive},
    shop::{HOT_SKU, Shop, prepare_checkouts},
    source::{AddItem, Prepared, ReadCart, Repeated},
};
use crate::wire::{Connection, render};

/// A hold lasts longer than a slice.
const HOLD_SECONDS: u32 = 5;
const HOLDS_END_WITHIN: Duration = Duration::from_secs(60);

/// What is measured, in the order of a turn: each subject next to its ceiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    CeilingPost,
    AddItem,
    Hold,
    Checkout,
    CeilingGet,
    ReadCart,
}

impl Scenario {
    pub const ALL: [Self; 6] =
        [Self::CeilingPost, Self::AddItem, Self::Hold, Self::Checkout, Self::CeilingGet, Self::ReadCart];

    /// These and what they are compared with, in the order of a turn; all, when none is named.
    pub fn with_ceilings(named: &[Self]) -> Vec<Self> {
        let wanted = |one: &Self| named.iter().any(|named| named == one || named.ceiling() == *one);
        Self::ALL.into_iter().filter(|one| named.is_empty() || wanted(one)).collect()
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::CeilingPost => "ceiling POST",
            Self::AddItem => "durable add-item",
            Self::Hold => "hold on one SKU",
            Self::Checkout => "three-line checkout",
            Self::CeilingGet => "ceiling GET",
            Self::ReadCart => "cart read",
        }
    }

    /// What it is compared with.
    pub const fn ceiling(self) -> Self {
        match self {
            Self::CeilingPost | Self::AddItem | Self::Hold | Self::Checkout => Self::CeilingPost,
            Self::CeilingGet | Self::ReadCart => Self::CeilingGet,
        }
    }

    pub const fn expected_status(self) -> u16 {
        match self {
            Self::Hold | Self::Checkout => 201,
            Self::CeilingPost | Self::AddItem | Self::CeilingGet | Self::ReadCart => 200,
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
        let Self { address, shop, connections, turn, .. } = *self;
        let expected = scenario.expected_status();
        match scenario {
            Scenario::CeilingPost | Scenario::AddItem => {
                drive(address, connections, length, expected, AddItem::new(shop, turn)).await
            }
            Scenario::CeilingGet | Scenario::ReadCart => {
                drive(address, connections, length, expected, ReadCart::new(shop, turn)).await
            }
            Scenario::Hold => drive(address, connections, length, expected, Repeated(self.hold())).await,
            Scenario::Checkout => {
                drive(address, connections, length, expected, Prepared::new(prepared)).await
            }
        }
    }

    /// Waits until the server has nothing more to do for a slice: holds end by themselves, and would do so in somebody else's.
    pub async fn until_over(&self, scenario: Scenario) -> anyhow::Result<()> {
        if scenario != Scenario::Hold {
            return Ok(());
        }
        let until = Instant::now() + HOLDS_END_WITHIN;
        while held(self.address).await? > 0 {
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
}

/// Units of the SKU that are put aside.
async fn held(address: SocketAddr) -> anyhow::Result<u64> {
    let mut connection = Connection::open(address).await?;
    let response = connection.call(&render("GET", &format!("/v1/inventory/{HOT_SKU}"), &[], None)).await?;
    ensure!(response.status == 200, "the SKU was answered {}", response.status);
    let level: serde_json::Value = serde_json::from_slice(&response.body)?;
    level["held"].as_u64().with_context(|| format!("no `held`: {level}"))
}
