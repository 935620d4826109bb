//! The running service. Everything is wired together here and nowhere else.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::Router;
use smartcart_engine::{
    clock::Clock,
    engine::{Engine, Unfinished},
};
use tokio::task::JoinHandle;

use crate::{
    app_state::AppState,
    auth::{Auth, Revoked, ServiceToken},
    changes::Changes,
    config::{Config, Seed},
    demo,
    front::Front,
    metrics,
    ops::{self, Opened, Ops},
    pod::Pod,
    router,
    server::Server,
    target::Target,
};

/// How often a pod reads which sessions have ended on other pods.
const SESSIONS_INTERVAL: Duration = Duration::from_secs(1);
/// Before the listeners close, peers have this long to learn the new owners of the last shards, and a load balancer to see
/// that this pod is not ready.
const DEREGISTRATION_DELAY: Duration = Duration::from_secs(1);

/// A started service.
#[derive(Debug)]
pub struct App {
    pub api: SocketAddr,
    pub ops: SocketAddr,
    pod: Pod,
    service: Router,
    changes: Changes,
    /// How long changes may take to finish when the service stops.
    grace: Duration,
    in_fleet: bool,
    control: Arc<Ops>,
    api_server: Server,
    ops_server: Server,
    chores: Vec<JoinHandle<()>>,
}

impl App {
    /// Opens the operator's listener first, so that recovery can be watched, and the public one when everything is ready.
    pub async fn start(config: Config, target: Target, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let recorder = metrics::install()?;
        let mut chores = vec![tokio::spawn(metrics::upkeep(recorder.clone()))];
        let control = Arc::new(Ops::new(recorder));
        let ops_server = Server::start(config.ops, Front::plain(ops::router(control.clone()))).await?;
        let token = ServiceToken::load_or_create(&config.admin_token_file)?;
        let pod = Pod::start(&config, target.owns_shards(), clock).await?;
        let engine = pod.engine.clone();
        if config.shop.seed == Seed::Demo
            && engine.is_first()
            && let Some(seeded) = demo::seed(&engine).await?
        {
            tracing::info!(
                products = seeded.products,
                skus = seeded.skus,
                "filled the shop with the demo catalogue"
            );
        }
        let changes = Changes::default();
        let state = Arc::new(AppState {
            changes: changes.clone(),
            auth: authentication(&config, &engine, token).await?,
            currency: config.shop.currency,
            disclosure: config.shop.disclosure,
            body_limit: config.requests.body,
            upload_limit: config.requests.import,
            engine: engine.clone(),
        });
        let in_fleet = config.storage.is_shared();
        if in_fleet {
            chores.push(tokio::spawn(follow_sessions(state.clone())));
        }
        let (api, _) = router::api(config.requests.deadline, target);
        let service = api.with_state(state);
        let api_server = Server::start(config.api, Front::new(service.clone(), &config.front)).await?;
        control.opened(Opened {
            engine,
            changes: changes.clone(),
            embedded: pod.storage.embedded().cloned(),
            backups: config.storage.folder().join("backups"),
        });
        Ok(Self {
            api: api_server.address,
            ops: ops_server.address,
            pod,
            service,
            changes,
            grace: config.api.grace,
            in_fleet,
            control,
            api_server,
            ops_server,
            chores,
        })
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.pod.engine
    }

    /// The public service, for who asks it without a connection.
    pub fn service(&self) -> Router {
        self.service.clone()
    }

    /// Waits until an operator drains it over the operator's listener.
    pub async fn drained(&self) {
        self.control.drained().await;
    }

    /// Returns the reason when this process can no longer change anything and another must take its place. Only in a fleet is
    /// there another; a single process goes on serving reads.
    pub async fn lost(&self) -> String {
        if !self.in_fleet {
            return std::future::pending().await;
        }
        self.pod.engine.failed().await
    }

    /// Becomes not ready, hands its shards over, accepts no more connections, finishes what it accepted, flushes, and closes
    /// its files.
    pub async fn stop(self) -> Result<(), Unfinished> {
        self.control.drain();
        if self.in_fleet {
            self.pod.leave().await;
            tokio::time::sleep(DEREGISTRATION_DELAY).await;
        }
        self.api_server.stop().await;
        let changes = self.changes.finished(self.grace).await;
        for chore in &self.chores {
            chore.abort();
        }
        let finished = self.pod.stop().await;
        self.ops_server.stop().await;
        if changes > 0 { finished.and(Err(Unfinished::Changes { changes })) } else { finished }
    }
}

/// Sessions that end on one pod end on all.
async fn follow_sessions(state: Arc<AppState>) {
    loop {
        tokio::time::sleep(SESSIONS_INTERVAL).await;
        let now = state.engine.clock().wall();
        match state.engine.store().revoked_sessions(now).await {
            Ok(ended) => state.auth.end_sessions(ended, now),
            Err(error) => {
                tracing::warn!(%error, "reading the sessions that ended on other pods failed; retrying in 1 s");
            }
        }
    }
}

async fn authentication(config: &Config, engine: &Engine, token: ServiceToken) -> anyhow::Result<Auth> {
    let now = engine.clock().wall();
    let ended = engine.store().revoked_sessions(now).await.context("cannot read the ended sessions")?;
    let revoked = Revoked::default();
    revoked.add(ended, now, now.plus(config.auth.access_lifetime));
    Ok(Auth::new(config.auth, engine.secret(), token, revoked)?)
}
