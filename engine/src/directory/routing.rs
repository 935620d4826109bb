//! What a directory is asked, by clients, peers and the engine itself: answered here, or by the pod that owns the shard.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::Directory;
use super::unavailable::{LoadError, not_confirmed};
use crate::{
    admission::Permit,
    backoff::Backoff,
    published::{Answer, Published},
};
use crate::{
    entity::Routable,
    limits::MAX_HOPS,
    ownership::{
        routes::{ForwardError, RouteContext},
        shard_map::Route,
    },
};
use smartcart_domain::request::{ReadError, Request, RequestError};
use smartcart_domain::{failure::Effect, idempotency::KeyFingerprint};

/// An owner that hands its shards over while a request is under way sends it on; more often than this something is wrong.
const MOVES: usize = 8;
/// Between two questions to an owner that cannot be reached.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl<E: Routable> Directory<E> {
    /// The last durable state. Nothing: it never existed.
    pub async fn read(&self, id: &E::Id) -> Result<Option<Arc<Published<E>>>, ReadError> {
        self.read_routed(id, RouteContext::first(Instant::now() + self.deadline)).await
    }

    pub(crate) async fn read_routed(
        &self,
        id: &E::Id,
        mut context: RouteContext,
    ) -> Result<Option<Arc<Published<E>>>, ReadError> {
        let routes = &self.parts.routes;
        let shard = self.shard(id).id;
        for _ in 0..MOVES {
            let route = routes.shards.route_read(shard, context.epoch, context.deadline).await;
            match route.map_err(|shed| ReadError(shed.reason.to_owned()))? {
                None if !routes.shards.is_confirmed() => {
                    return Err(not_confirmed());
                }
                None => match self.read_owned(id).await {
                    Ok(published) => return Ok(published),
                    Err(LoadError::Unreadable(error)) => return Err(error),
                    Err(LoadError::Moved) => {}
                },
                Some(owner) => match routes.forward(&owner, &E::to_read(id.clone()), &context).await {
                    Ok(reply) => {
                        let read = E::read(reply)
                            .unwrap_or_else(|| Err(ReadError("the pod answered something else".to_owned())));
                        return Ok(read?.map(|view| Arc::new(Published::new(view))));
                    }
                    Err(ForwardError::Moved(epoch)) => context.epoch = context.epoch.max(epoch),
                    Err(ForwardError::Failed(failure)) => return Err(ReadError(failure.reason)),
                },
            }
        }
        Err(ReadError("the shard moves too often".to_owned()))
    }

    /// The last durable state, when the shard is here.
    pub(crate) async fn read_local(
        &self,
        id: &E::Id,
    ) -> Result<Option<Arc<Published<E>>>, RequestError<E::Rejection>> {
        if !self.parts.routes.shards.is_open(self.shard(id).id) {
            return Err(RequestError::NotOwner);
        }
        Ok(self.read_owned(id).await?)
    }

    /// Sends a command to the entity and waits until its answer is durable.
    pub async fn ask(
        &self,
        id: &E::Id,
        request: Request<E>,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        self.ask_routed(id, request, RouteContext::first(Instant::now() + self.deadline)).await
    }

    pub(crate) async fn ask_routed(
        &self,
        id: &E::Id,
        request: Request<E>,
        context: RouteContext,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        let permit = self.admit()?;
        self.ask_admitted(id, request, permit, context).await
    }

    /// Like `ask`, for what must not leave this pod.
    pub(crate) async fn ask_local(
        &self,
        id: &E::Id,
        request: Request<E>,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        let permit = self.admit()?;
        self.ask_if_owned(id, request, permit).await
    }

    fn admit(&self) -> Result<Permit, RequestError<E::Rejection>> {
        if let Some(why) = self.parts.admission.read_only() {
            return Err(RequestError::not_applied(format!("changes are refused: {why}")));
        }
        Ok(self.parts.admission.admit()?)
    }

    /// A step of the engine's own: it is never shed on admission, so that what was begun is finished.
    pub(crate) async fn step(
        &self,
        id: &E::Id,
        command: E::Command,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        self.keyed_step(id, command, None).await
    }

    /// A step that must be made once however often it is repeated.
    pub(crate) async fn keyed_step(
        &self,
        id: &E::Id,
        command: E::Command,
        key: Option<KeyFingerprint>,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        let context = RouteContext::first(Instant::now() + self.deadline);
        self.ask_admitted(id, Request::of_engine(command, key), self.parts.admission.admit_step(), context)
            .await
    }

    /// A step that must not leave this pod.
    pub(crate) async fn step_local(
        &self,
        id: &E::Id,
        command: E::Command,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        self.ask_if_owned(id, Request::of_engine(command, None), self.parts.admission.admit_step()).await
    }

    async fn ask_if_owned(
        &self,
        id: &E::Id,
        request: Request<E>,
        permit: Permit,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        let guard = self.parts.routes.shards.enter(self.shard(id).id).ok_or(RequestError::NotOwner)?;
        self.ask_owned(id, request, permit.with_guard(guard), Instant::now() + self.deadline).await
    }

    async fn ask_admitted(
        &self,
        id: &E::Id,
        request: Request<E>,
        permit: Permit,
        context: RouteContext,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        match self.parts.routes.shards.enter(self.shard(id).id) {
            Some(guard) => self.ask_owned(id, request, permit.with_guard(guard), context.deadline).await,
            None => Box::pin(self.ask_remote(id, request, permit, context)).await,
        }
    }

    /// The shard is not open here: waits for it, or asks its owner.
    async fn ask_remote(
        &self,
        id: &E::Id,
        request: Request<E>,
        permit: Permit,
        mut context: RouteContext,
    ) -> Result<Answer<E>, RequestError<E::Rejection>> {
        let routes = &self.parts.routes;
        let request = E::to_request(id.clone(), request);
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        for _ in 0..MOVES {
            match routes.shards.route(request.shard(), context.epoch, context.deadline).await? {
                Route::Local(guard) => {
                    let (id, request) = E::from_request(request)
                        .ok_or_else(|| RequestError::not_applied("the request is of another kind"))?;
                    return self.ask_owned(&id, request, permit.with_guard(guard), context.deadline).await;
                }
                Route::Remote(_) if context.hops >= MAX_HOPS => break,
                Route::Remote(owner) => match routes.forward(&owner, &request, &context).await {
                    Ok(reply) => match E::answer(reply) {
                        Some(Err(RequestError::NotOwner)) => routes.shards.newer_map(backoff.pause()).await,
                        Some(answer) => return answer.map(Answer::from),
                        None => return Err(RequestError::indeterminate("the pod answered something else")),
                    },
                    Err(ForwardError::Moved(epoch)) => context.epoch = context.epoch.max(epoch),
                    // Whoever owns it may be dead; the shard will have another owner.
                    Err(ForwardError::Failed(failure)) if failure.effect == Effect::NotApplied => {
                        let pause = backoff.pause();
                        if Instant::now() + pause >= context.deadline {
                            return Err(failure.into());
                        }
                        tokio::time::sleep(pause).await;
                    }
                    Err(error) => return Err(error.into()),
                },
            }
        }
        Err(RequestError::NotOwner)
    }
}
