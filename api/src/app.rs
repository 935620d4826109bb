//! The running service: everything is wired together here and nowhere else.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use smartcart_engine::{checkout::InvoiceGateway, engine::Engine, time::SystemClock};
use smartcart_persistence::sqlite::{self, Embedded};
use tokio::task::JoinHandle;

use crate::{
    auth::{Auth, Revoked, ServiceToken},
    config::{Config, Seed},
    demo, metrics,
    ops::{self, Ops},
    router,
    server::Server,
    shop::Shop,
};

/// A started service.
#[derive(Debug)]
pub struct App {
    pub api: SocketAddr,
    pub ops: SocketAddr,
    engine: Arc<Engine>,
    storage: Embedded,
    control: Arc<Ops>,
    api_server: Server,
    ops_server: Server,
    upkeep: JoinHandle<()>,
}

impl App {
    /// The operator's listener first, so that recovery can be watched; the public one when all is ready.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let recorder = metrics::install()?;
        let upkeep = tokio::spawn(metrics::upkeep(recorder.clone()));
        let control = Arc::new(Ops::new(recorder));
        let ops_server = Server::start(config.ops, ops::router(control.clone())).await?;
        let storage = sqlite::open(&config.storage.database_url).await?;
        let token = ServiceToken::load_or_create(&config.admin_token_file)?;
        let engine = start_engine(&config, &storage).await?;
        if config.shop.seed == Seed::Demo
            && let Some(seeded) = demo::seed(&engine).await?
        {
            tracing::info!(
                products = seeded.products,
                skus = seeded.skus,
                "filled the shop with the demo catalogue"
            );
        }
        let shop = Shop {
            auth: authentication(&config, &engine, token).await?,
            currency: config.shop.currency,
            body_limit: config.requests.body,
            upload_limit: config.requests.import,
            engine: engine.clone(),
        };
        let (api, _) = router::api(config.requests.deadline);
        let api_server = Server::start(config.api, api.with_state(Arc::new(shop))).await?;
        control.opened(engine.clone());
        Ok(Self {
            api: api_server.address,
            ops: ops_server.address,
            engine,
            storage,
            control,
            api_server,
            ops_server,
            upkeep,
        })
    }

    /// Waits until an operator drains it over the operator's listener.
    pub async fn drained(&self) {
        self.control.drained().await;
    }

    /// Not ready, no new connections, what was accepted is finished and in the tables, files closed.
    pub async fn stop(self) {
        self.control.drain();
        self.api_server.stop().await;
        self.engine.stop().await;
        self.storage.store.close().await;
        self.storage.journal.close().await;
        self.ops_server.stop().await;
        self.upkeep.abort();
    }
}

/// Finishes what the last run left, and opens the engine.
pub async fn start_engine(config: &Config, storage: &Embedded) -> anyhow::Result<Arc<Engine>> {
    Engine::start(
        config.engine,
        storage.journal.clone(),
        storage.store.clone(),
        Arc::new(SystemClock::default()),
        Arc::new(InvoiceGateway),
    )
    .await
    .context("the shop cannot be opened")
}

async fn authentication(config: &Config, engine: &Engine, token: ServiceToken) -> anyhow::Result<Auth> {
    let now = engine.clock().wall();
    let ended = engine.store().revoked_sessions(now).await.context("the ended sessions cannot be read")?;
    let revoked = Revoked::default();
    revoked.add(ended, now, now.plus(config.auth.access_lifetime));
    Ok(Auth::new(config.auth, engine.secret(), token, revoked)?)
}
